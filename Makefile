# Everything a newcomer types. Targets reuse the environment in .venv; `make clean-env` removes it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test processes; each costs a core and about 1 GB.
JOBS ?= 2

# What the second stage of dvc.yaml reads: without it `dvc repro --dry` stops on a fresh clone.
READ_BY_DVC := results/runs results/tables/by-id results/figures/by-id

.PHONY: help env demo test test-cluster test-all lint format docs clean-env

help:
	@echo "make demo      environment, then the two-stage study at demo scale on the built-in corpus"
	@echo "make test      environment, then the test suite (under 10 minutes)"
	@echo "make test-all  the slow tests too, and those on a Slurm that they start (root; else skipped)"
	@echo "make lint      ruff, mypy, import-linter, snakefmt, snakemake --lint"
	@echo "make format    ruff and snakefmt, in place"
	@echo "make docs      the parts of files that are generated from the code, in place"

env: $(READY)

# pesqc2 asks for numpy<2 and works with 2 if it is built against it: so no dependency of ours, but a step of its own
# that takes its dependencies and its build tools from the environment. `pip check` names it for that, and nothing else.
$(READY): pyproject.toml constraints.txt
	@command -v gcc >/dev/null || { echo "gcc is needed to build the packages pesq and pesqc2: install it first" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check cython "setuptools>=77" --constraint constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps pesqc2 --constraint constraints.txt
	@mkdir -p $(READ_BY_DVC)
	@touch $@

demo: $(READY)
	$(BIN)/sebench run two_stage --scale demo --corpus builtin

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS)

# One after another, last: they start and stop a Slurm of their own.
test-cluster: $(READY)
	$(BIN)/python -m pytest -m cluster

test-all: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) -m "not cluster"
	$(BIN)/python -m pytest -m cluster

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: $(READY)
	$(BIN)/python docs/generate.py

clean-env:
	rm -rf $(VENV)
