# The verbs of this project. Every one creates and reuses .venv on its own; only python3 with venv is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
OUT    ?= polyculture-run
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
export OMP_WAIT_POLICY = PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo test check quick bench nightly docs site picture clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## train a population on digits, audit it, write polyculture-run/page.html
	$(BIN)/polyculture run digits --out $(OUT)

test: $(VENV)/.dev ## the whole test suite
	$(BIN)/python -m pytest -n auto -m "not nightly" -rsfE

quick: $(VENV)/.dev ## the tests that take seconds
	$(BIN)/python -m pytest -n auto -m "not nightly and not slow"

check: $(VENV)/.dev ## formatting, lint, types, floors of the house, and the site
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory site

site: $(VENV)/.dev ## build the documentation strictly into build/site (open index.html)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # not --quiet: warnings would pass

picture: $(VENV)/.dev ## draw docs/assets/page.png, the picture in the README (needs Chromium)
	$(BIN)/python tools/site/example.py

bench: $(VENV)/.dev ## measure what benchmarks/README.md claims, side by side
	$(BIN)/python benchmarks/counts.py
	$(BIN)/python benchmarks/attribution.py
	$(BIN)/python benchmarks/capa.py
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/training.py

nightly: $(VENV)/.dev ## long Monte-Carlo checks
	$(BIN)/python -m pytest -n auto -m nightly

docs: $(VENV)/.dev ## run every command and code block of README and docs
	$(BIN)/python -m pytest tests/test_docs.py

clean: ## remove the environment and caches
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "polyculture needs Python 3.11 or newer: make PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing polyculture with what training and deploying need into $(VENV) (a minute or two, once)"
	$(PIP) --editable ".[train,export,serve]"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt tests/deployment/kserve-client.txt tests/measures/panels/oracles.txt | $(BIN)/python
	@echo "installing polyculture with what development needs into $(VENV) (a minute or two, once)"
	$(PIP) --editable ".[train,test,check,site]"
	$(PIP) --no-deps --requirement tests/deployment/kserve-client.txt --requirement tests/measures/panels/oracles.txt
	@touch $@ $(VENV)/.demo
