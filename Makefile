PYTHON ?= python3
PEOPLE ?= 2000
PORT ?= 8360
ARGS ?=

BIN := .venv/bin
RUNTIME := .venv/.runtime
INSTALLED := .venv/.installed
OLDEST_DUCKDB := .venv/.duckdb-1.5.5
PACKAGES := catalog/roundview_catalog identity/roundview_identity \
	federation/roundview_federation graphql/roundview_graphql sql/roundview_sql \
	desktop/roundview_desktop roundview

.DEFAULT_GOAL := help
.PHONY: help install trino clients demo compose test test-duckdb canary check bench bench-rivals docs

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## install everything into .venv in this checkout

trino: $(INSTALLED) ## fetch the Trino server and the Java that tests start (needs Maven)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group java
	@$(BIN)/python -m tests.trino.obtaining

clients: $(INSTALLED) ## fetch the clients of PostgreSQL that tests run (needs Maven and npm)
	@$(BIN)/python -m tests.clients.obtaining

demo: $(RUNTIME) ## make the demo estate and serve it on http://127.0.0.1:8360
	@exec $(BIN)/roundview demo --people $(PEOPLE) --port $(PORT) $(ARGS)

compose: ## build and start docker-compose.yml: the estate on servers, with Trino
	@deploy/secrets.sh
	@docker compose up --build --detach

test: $(INSTALLED) ## run every test; ends with a list of what was not run and why
	@$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

test-duckdb: $(OLDEST_DUCKDB) ## run the tests of the engine with the oldest DuckDB that is supported
	@export PYTHONPATH=$(CURDIR)/$(OLDEST_DUCKDB); \
	$(BIN)/python -c 'import duckdb; print("DuckDB", duckdb.__version__)' && \
	$(BIN)/python -m pytest $(wildcard tests/engines tests/dialect) $(ARGS)

canary: $(INSTALLED) ## look for planted customers and secrets in everything that we write
	@$(BIN)/python -m pytest -n 0 tests/front/test_canary.py $(ARGS)

check: $(INSTALLED) ## check format, lint, types, layers, dead code and dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@# By path and counted: mypy given a package name reports success after a part of its files.
	@found=$$(find $(PACKAGES) -name '*.py' | wc -l | tr -d ' '); \
	said=$$($(BIN)/mypy $(PACKAGES)) || { echo "$$said"; exit 1; }; echo "mypy: $$said"; \
	case "$$said" in *"in $$found source file"*) ;; *) \
	echo "mypy did not read all of the $$found files"; exit 1;; esac
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry $(PACKAGES)
	$(BIN)/python -m cogapp --check docs/*.md README.md

bench: $(INSTALLED) ## run every benchmark and print its figures
	@for file in $$(grep -l '__main__' benchmarks/*.py); do \
	name=$$(basename $$file .py); echo "== $$name"; \
	$(BIN)/python -m benchmarks.$$name $(ARGS) || exit 1; done

bench-rivals: $(INSTALLED) ## run the benchmarks of other systems that need their own environment
	@for file in benchmarks/rivals/*.sh; do echo "== $$(basename $$file .sh)"; \
	bash $$file $(ARGS) || exit 1; done

docs: $(INSTALLED) ## write the generated parts of the docs again and take the screenshots
	$(BIN)/python -m cogapp -r docs/*.md README.md
	@for file in $(wildcard docs/screenshots.py); do $(BIN)/python $$file; done

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "Roundview needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	echo "Python's venv module is missing: install it and run make again"; \
	echo "(on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "installing into .venv"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

$(RUNTIME): pyproject.toml | .venv/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED): pyproject.toml | .venv/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev --editable .
	@touch $@ $(RUNTIME)

$(OLDEST_DUCKDB): | $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ \
	'duckdb==1.5.5' 'pytz>=2024.1'
