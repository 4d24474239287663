# `make demo` and `make test` need Python 3.11 or newer, make and the package index; nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO := $(VENV)/demo
PROOF := tests/proof
JOBS ?= 3
NODE := $(PROOF)/node

.DEFAULT_GOAL := help
.PHONY: help demo test proof proof-breaks postman viewer pictures lint lock secrets wheel sbom types check bench soak site recorded generated clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml
	@echo "setting up $(VENV) from the package index: a minute or two, once"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

# What developers and CI use is locked, with digests.
$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/installed ## a lesson from folder to `active`, on this machine only
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/reinmaker rehearse examples/first-lesson --receipt $(DEMO)/receipts
	$(BIN)/reinmaker verify $(DEMO)/receipts --root examples/first-lesson
	@echo "next: source $(BIN)/activate, and then \"First ten minutes\" in README.md; reinmaker alone says where to start"

test: $(VENV)/installed-dev ## the whole test suite
	$(BIN)/pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

$(VENV)/peers/installed: $(PROOF)/python/requirements.txt
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# Without npm the tools that are written for node are skipped, and `make proof` says so.
$(NODE)/node_modules/installed: $(NODE)/package-lock.json
	@if command -v npm >/dev/null; then cd $(NODE) && npm ci --no-progress; else mkdir -p $(@D); fi
	@touch $@

proof: $(VENV)/installed-dev $(VENV)/peers/installed $(NODE)/node_modules/installed ## what tools that others wrote say of the server: docs/proof.md
	$(BIN)/python -m tests.proof --breaks sample

proof-breaks: $(VENV)/installed-dev $(VENV)/peers/installed $(NODE)/node_modules/installed ## break the server in every way, and rewrite the table of who saw it
	$(BIN)/python -m tests.proof --breaks all --report docs/proof.md

postman: $(VENV)/installed-dev $(NODE)/node_modules/installed ## rewrite the Postman collection from the OpenAPI document
	$(BIN)/python -m tests.proof.postman

viewer: $(VENV)/installed-dev $(NODE)/node_modules/installed ## take the viewer of /docs over from its npm package
	$(BIN)/python -m tests.proof.peers.browser

pictures: $(VENV)/installed-dev $(NODE)/node_modules/installed ## take the pictures of the inspector in docs/pictures again; wants Chromium
	$(BIN)/python -m tests.proof.pictures

lint: $(VENV)/installed-dev ## formatting and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive reinmaker_cli
	$(BIN)/python -m tests.reviewed_secrets

lock: $(VENV)/installed-dev ## renew requirements-dev.lock from pyproject.toml; UPGRADE=--upgrade for newer versions
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate --quiet $(UPGRADE) -o requirements-dev.lock

secrets: $(VENV)/installed-dev ## take what looks like a secret in the source for looked at; look first
	$(BIN)/python -m tests.reviewed_secrets --accept

wheel: $(VENV)/installed-dev ## dist/: the wheel, the same bytes from the same commit
	rm -rf dist && $(BIN)/hatchling build -t wheel -d dist

sbom: wheel ## dist/sbom.cdx.json: everything that the wheel installs, as CycloneDX
	rm -rf $(VENV)/shipped && $(PYTHON) -m venv --without-pip $(VENV)/shipped
	$(BIN)/pip --python $(VENV)/shipped/bin/python install --quiet --disable-pip-version-check dist/*.whl
	$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application --output-reproducible \
	  -o dist/sbom.cdx.json $(VENV)/shipped/bin/python

types: $(VENV)/installed-dev ## strict types
	$(BIN)/mypy

check: lint types test ## lint, types and tests

# From the package index, in an environment of its own; where that fails, `make bench` names it as skipped, and the next
# one tries again.
$(VENV)/bench/installed:
	$(PYTHON) -m venv $(VENV)/bench
	-$(VENV)/bench/bin/pip install --quiet --disable-pip-version-check dvc && touch $@

bench: $(VENV)/installed-dev $(VENV)/bench/installed ## figures, as ratios against other tools in the same run; PART="start scan": only these
	$(BIN)/python -m tests.benchmarks $(PART)

soak: $(VENV)/installed-dev ## the long proofs in full
	REINMAKER_SOAK=1 $(BIN)/pytest tests/e2e tests/fuzz tests/assets/test_swapped_links.py tests/server/test_webhooks.py tests/server/test_webhook_load.py --timeout 3600
	REINMAKER_SOAK=1 $(MAKE) proof-breaks

site: $(VENV)/installed-dev ## site/: the documentation as a site; a warning fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

recorded: $(VENV)/installed-dev ## rewrite what tests record: snapshots, docs/pictures/*.svg, and pages of docs/ that show what is said
	REINMAKER_UPDATE_SNAPSHOTS=1 $(BIN)/pytest tests/trial tests/e2e/test_pipeline.py tests/e2e/test_first_minutes.py tests/e2e/test_tutorial.py tests/cli/test_hostile.py tests/cli/test_pictures.py

generated: $(VENV)/installed-dev ## rewrite completions/ and the generated references in docs/
	$(BIN)/python -m tests.generate

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) $(NODE)/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
