# `make demo` and `make test` are the two commands; `make help` lists the rest.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
# Nothing is fetched but packages: the model's weights come with one.
export HF_HUB_OFFLINE ?= 1
export DO_NOT_TRACK ?= 1

STAMP := $(VENV)/.installed-$(shell cksum pyproject.toml | cut -d' ' -f1)

.PHONY: help demo dev test check format lint types contracts clean install

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(STAMP) ## make .venv and install the project with its tools

$(STAMP): pyproject.toml
	@echo "Installing into $(VENV) (torch and its kin are large: a few minutes on the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --progress-bar on --disable-pip-version-check --editable '.[torch,dev]' | grep -vE '^(Requirement already|Looking in)' | cut -c1-120
	@rm -f $(VENV)/.installed-* && touch $@

demo: $(STAMP) ## ingest the samples, print what came of them, ask two questions
	@$(BIN)/ingest add samples --user demo --project samples
	@echo
	@$(BIN)/ingest search "How often is the rain gauge emptied?" --user demo --project samples -k 3
	@$(BIN)/ingest search "What do I do with the instruments when a storm comes?" --user demo --project samples -k 3

dev: $(STAMP) ## the UI, the daemon and the sensor on this instance, at http://127.0.0.1:3000
	@mkdir -p $(DAGSTER_HOME) && cp -n dagster.yaml $(DAGSTER_HOME)/ 2>/dev/null || true
	$(BIN)/dagster dev --workspace workspace.yaml --host 127.0.0.1 --port $${PORT:-3000}

test: $(STAMP) ## all tests: the fast ones first, then those that start servers, models and whole runs
	$(BIN)/python -m pytest -m "not slow"
	$(BIN)/python -m pytest -m slow --durations=10

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
