# On a fresh machine: `make demo` shows a report after two minutes, `make reproduce` computes
# everything, `make test` checks everything. CONTRIBUTING.md says which of the others to use when.
PYTHON ?= python3
BIN := .venv/bin
# Test processes: one a logical core, at most eight (each loads torch and JAX: 1 GB).
WORKERS ?= logical
PYTEST := $(BIN)/pytest -q -n $(WORKERS) --maxprocesses 8 --dist worksteal
DEMO := --out out-demo --runs runs-demo

.PHONY: setup demo reproduce format lint fast test coverage docs

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "PYTHON: expected Python 3.11 or later; got " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: setup
	$(BIN)/retrace theory positions --quick --out out-demo
	$(BIN)/retrace llm positions --quick --model tiny-llama --methods GA $(DEMO)
	$(BIN)/retrace figures --out out-demo

reproduce: setup
	$(BIN)/retrace reproduce

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: setup
	$(PYTEST) -m fast

test: lint
	$(PYTEST)

coverage: setup
	$(PYTEST) --cov --cov-report term:skip-covered

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
