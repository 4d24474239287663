# `make demo` and `make test` need Python 3.11 or newer, make and the package index; nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/demo

.DEFAULT_GOAL := help
.PHONY: help demo test lint types check bench soak generated clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/installed ## a lesson from folder to `active`, on this machine only
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/reinmaker rehearse examples/first-lesson --receipt $(DEMO)/receipts
	$(BIN)/reinmaker verify $(DEMO)/receipts --root examples/first-lesson

test: $(VENV)/installed-dev ## the whole test suite
	$(BIN)/pytest

lint: $(VENV)/installed-dev ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/installed-dev ## strict types
	$(BIN)/mypy

check: lint types test ## lint, types and tests

bench: $(VENV)/installed-dev ## figures, as ratios against other tools in the same run
	$(BIN)/python -m tests.benchmarks

soak: $(VENV)/installed-dev ## the long proofs in full
	REINMAKER_SOAK=1 $(BIN)/pytest tests/e2e --timeout 3600

generated: $(VENV)/installed-dev ## rewrite completions/ and the generated references in docs/
	$(BIN)/python -m tests.generate

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
