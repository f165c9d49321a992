# One command each: `make run` sets up and opens the app, `make test` sets up and runs the tests,
# `make check` runs all that the continuous integration runs.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Without bytecode on the disk, each of hundreds of processes would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema
TEST := $(BIN)/pytest -n auto --dist worksteal
# Of few tests: each worker costs seconds before its first test, and a plugin that one test of the suite needs half a one.
FEW := $(BIN)/pytest -n 2 --dist worksteal -p no:schemathesis

.PHONY: run test suite test-pretended-device test-without-native test-pretended-windows coverage check lint wheels pythons pictures models clean

run: $(VENV)/.installed
	$(BIN)/tinygpt-tui

test: suite test-pretended-device

suite: $(VENV)/.compiled
	$(TEST)

# A device that is not the processor, in processes that have not computed on the processor before.
test-pretended-device: $(VENV)/.compiled
	PRETENDED_DEVICE=1 $(FEW) tests/training/test_pretended.py tests/measuring/test_device_checks.py tests/workers/test_on_device.py

# The same, traced, to find code that no test reaches; takes half as long again.
coverage: $(VENV)/.installed-dev
	$(TEST) --cov --cov-report=term

# The same engine process where no C compiler was at hand when the package was built. Left out of tests/workers is what
# loads no engine, and how runs are stopped and killed: of those only the samples are by an engine, as in the one here.
WITHOUT_NATIVE := tests/ui/generate/test_generate_engine.py $(patsubst %,tests/workers/test_%.py,\
  bad_requests device_check engine_process examiner exporter models on_device reliability service snapshots) \
  tests/workers/test_trainer.py::test_a_whole_training_seen_from_outside
test-without-native: $(VENV)/.compiled
	TINYGPT_TUI_NATIVE=off $(FEW) $(WITHOUT_NATIVE)

# What is open cannot be renamed, replaced or deleted there, nor everything be a name.
PRETENDED_WINDOWS := tests/test_files.py tests/sessions/test_store.py tests/sessions/test_autosave.py \
  $(patsubst %,tests/runs/test_%.py,control index journal manage timeline trash) \
  tests/checkpoints/test_library.py tests/checkpoints/test_native.py tests/training/test_live_weights.py \
  tests/workers/test_trainer.py::test_a_whole_training_seen_from_outside
test-pretended-windows: $(VENV)/.compiled
	$(FEW) --pretended-windows $(PRETENDED_WINDOWS)

# The longest comes first, for `make --jobs=2`: the others run beside it, and wait a good deal for downloads.
check: test lint wheels pythons test-without-native test-pretended-windows

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --quiet --offline .github
	$(SCHEMA) github-workflows .github/workflows/*.yml
	$(SCHEMA) dependabot .github/dependabot.yml
	$(SCHEMA) github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml
	$(SCHEMA) citation-file-format CITATION.cff

# The wheels of all platforms; those for this one are installed and used, others run under emulators where there are such.
wheels: $(VENV)/.installed-release
	rm -rf dist
	$(BIN)/python tools/wheels.py
	$(BIN)/python tests/wheels.py

# The app and the tests that depend on dependencies, without torch: the oldest Python with the lowest versions, the
# newest with the newest; the app alone on the Pythons between.
pythons: pythons-lowest pythons-newest pythons-between

pythons-%: $(VENV)/.installed-dev
	$(BIN)/python tests/pythons.py $*

pictures: $(VENV)/.installed-dev
	$(BIN)/python tools/make_pictures.py

# Trains the shipped models again from nothing (more than an hour).
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

# Workers that start together would each compile the tests and what they import: one process does it for all.
$(VENV)/.compiled: $(VENV)/.installed-dev
	$(BIN)/pytest --collect-only -qq >$@ || { cat $@; rm $@; exit 1; }

# Apart from the other tools: a C compiler for all platforms takes 0.3 GB.
$(VENV)/.installed-release: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet -c constraints.txt "tinygpt-tui[release]"
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
