# Each target does its own set-up: a fresh machine needs Python >= 3.11, make and these files, nothing else.
PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
READY := $(VENV)/.ready

export PATH := $(BIN):$(PATH)

.PHONY: demo test test-all test-slow test-cluster lint bench clean

demo: $(READY)  ## run the whole method on rendered streets and say where to look
	$(BIN)/snakemake --cores $(CORES) --rerun-incomplete results/demo/bismap_distilled.json results/demo/bismap/overview.png
	@-$(BIN)/python -m bismap status results/demo

test: $(READY) lint  ## the tests, under 15 minutes on 2 cores
	$(BIN)/python -m pytest -m "not slow"

test-all: test  ## the slow ones too, under 60 minutes on 2 cores; the cluster's mostly wait, so they run beside the others
	OMP_WAIT_POLICY=PASSIVE $(MAKE) -j2 test-slow test-cluster

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow --ignore tests/cluster

test-cluster: $(READY)
	$(BIN)/python -m pytest -m slow tests/cluster

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

bench: $(READY)  ## every stage beside its peers, into docs/performance.md; about a quarter of an hour on an idle machine
	$(BIN)/python benchmarks/all.py --write

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bismap needs Python 3.11 or newer, this is " + sys.version)'
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

clean:  ## remove what the workflow made (results, logs), keep data and the environment
	rm -rf results/.store results/*/ logs .snakemake
