# make demo   set everything up and run the main job, offline but for the installation
# make test   set everything up and run all tests
# make check  set everything up and run formatter, linters, type checker and docstring coverage

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check clean

demo: $(STAMP)
	$(BIN)/ocrdeploy demo

test: $(STAMP)
	$(BIN)/python -m pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/interrogate --quiet src
	$(BIN)/lint-imports

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "ocrdeploy needs Python 3.11 or newer: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[torch,dev]' --constraint constraints.txt
	touch $(STAMP)

clean:
	rm -rf $(VENV) ocrdeploy-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
