# One command each: `make run` sets up and opens the app, `make test` sets up and runs the tests,
# `make check` runs all that the continuous integration runs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test check lint wheel pictures models clean

run: $(VENV)/.installed
	$(BIN)/tinygpt-tui

test: $(VENV)/.installed-dev
	$(BIN)/pytest

check: lint test-coverage wheel

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test-coverage
test-coverage: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# A wheel in an empty environment must open the app with the shipped models inside it.
wheel: $(VENV)/.installed-dev
	$(BIN)/python tests/wheel.py

pictures: $(VENV)/.installed-dev
	$(BIN)/python tools/make_pictures.py

# Trains the shipped models again from nothing (hours).
models: $(VENV)/.installed
	$(BIN)/python tools/train_shipped.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
