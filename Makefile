# Two commands on a fresh machine: `make reproduce` and `make test`; `make setup` is the environment alone, `make docs`
# the reference of every module in docs/api/.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup reproduce test lint docs

setup: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "PYTHON: expected Python 3.11 or later; got " + sys.version.split()[0])'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

reproduce: setup
	$(BIN)/retrace reproduce

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest

# Each module by its name, too: pdoc passes over those that a package does not export, and warns of those it has.
PACKAGES := protocol theory llm paper_figs retrace
MODULES = $(shell find $(PACKAGES) -name '[!_]*.py' | sed 's/[.]py$$//; s,/,.,g' | sort)

docs: setup
	$(BIN)/python -W 'ignore:The module specification' -m pdoc --output-directory docs/api $(PACKAGES) $(MODULES)
