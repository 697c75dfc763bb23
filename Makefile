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

STAMP := $(VENV)/.installed-$(shell cat pyproject.toml memory_capped_launcher/pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

# Two test modules at a time: much of what they do is to wait for servers and for processes that they kill.
SIDE_BY_SIDE := -n 2 --dist loadfile

MODEL := $(DAGSTER_HOME)/models/.converted

.PHONY: help demo dev test fuzz check format lint types contracts clean install browser

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv and install the project with its tools

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (torch and its kin are large: a few minutes on the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# The pip that comes with older Pythons looks for versions that fit for many minutes.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25' 2>$(VENV)/install.log \
		|| { cat $(VENV)/install.log; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable ./memory_capped_launcher --editable '.[torch,dev]' 2>$(VENV)/install.log \
		| grep --line-buffered -E '^(Collecting|Successfully)' | cut -c1-100 || { cat $(VENV)/install.log; exit 1; }
	@rm -f $(VENV)/.installed-* && touch $@

$(MODEL): | $(STAMP)
	@echo "Converting the embedding model to OpenVINO (once)"
	@$(BIN)/ingest prepare
	@touch $@

demo: $(STAMP) $(MODEL) ## ingest the samples, print what came of them, ask two questions
	@$(BIN)/ingest add $(wildcard samples/*.*) --user demo --project samples
	@echo
	@$(BIN)/ingest search "How often is the overflow can of the rain gauge emptied?" --user demo --project samples -k 2
	@$(BIN)/ingest search "At what battery voltage must the diesel generator be started?" --user demo --project samples -k 2

dev: $(STAMP) $(MODEL) ## the UI, the daemon and the sensor on this instance, at http://127.0.0.1:3000
	@mkdir -p $(DAGSTER_HOME) && cp -n dagster.yaml $(DAGSTER_HOME)/ 2>/dev/null || true
	$(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $${PORT:-3000}

# No wheel brings a browser; without one its test is skipped and says so.
browser:
	@command -v chromedriver >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& echo "Installing chromium for the browser test" && apt-get update -qq \
		&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver \
		>/dev/null; } || echo "no chromedriver: the browser test will be skipped"

test: $(STAMP) browser ## all tests: the fast ones first, then those that start servers, models and whole runs
	$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE)
	$(BIN)/python -m pytest -m slow --durations=10 $(SIDE_BY_SIDE)

fuzz: $(STAMP) ## damage thousands of files of every family, and read each in a capped process (an hour)
	FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-3000} $(BIN)/python -m pytest --timeout 7200 ingest_assets_tests/parsers/test_fuzz.py

check: format lint types contracts test ## what CI runs: format, lint, types, import contracts, tests

format: $(STAMP) ## is everything formatted?
	$(BIN)/ruff format --check .

lint: $(STAMP) ## the linter
	$(BIN)/ruff check .

types: $(STAMP) ## the type checker, strict
	$(BIN)/mypy

contracts: $(STAMP) ## who may import whom
	$(BIN)/lint-imports

clean: ## remove the demo's instance; .venv stays
	rm -rf .dagster_home
