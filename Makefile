# The whole project from a fresh clone: python 3.11+, pip, git and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: notebooks bench-compare run test check conformance-nova bench docs example clean

run: $(READY) ## imports an operator's exports, drains a rack, prints the answer
	$(BIN)/novasim import openstack scenarios/openstack-export --nova-conf scenarios/openstack-export/nova.conf -o scenarios/imported_cloud.yaml
	$(BIN)/novasim run scenarios/rack_drain.yaml --seed 7

test: $(READY) ## passes the tests
	$(BIN)/python -m pytest -n 2

check: $(READY) ## everything: style, types, floors, tests
	$(BIN)/ruff check sim tests benchmarks docs notebooks
	$(BIN)/ruff format --check sim tests benchmarks docs
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2

SEED ?= 1
N ?= 2000

conformance-nova: $(READY) ## N sequences of requests drawn from SEED, asked of real Nova and of the simulator
	PYTHON=$(PYTHON) sh tests/differential/setup.sh
	$(BIN)/python -m tests.differential --seed $(SEED) --n $(N)

bench: $(READY) ## drains of growing size: build, run, migrations per second, memory, growth
	$(BIN)/python benchmarks/bench.py

bench-compare: $(READY) ## this tree against another commit: make bench-compare BASE=REV
	$(BIN)/python benchmarks/compare.py $(BASE)

docs: $(READY) ## reference pages from the code, and the site in build/site
	$(BIN)/python docs/make_reference.py
	$(BIN)/python -m mkdocs build --quiet

notebooks: $(READY) ## runs the notebooks anew
	$(BIN)/python notebooks/refresh.py

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(READY)

EXAMPLE := results/example

example: $(READY) ## what a run leaves: records, tables, figures, report, trace; committed, and a test makes it again
	$(BIN)/novasim run scenarios/rolling_reboot.yaml --seed 3 --explain --out $(EXAMPLE)
	$(BIN)/novasim show $(EXAMPLE) all --format csv -o $(EXAMPLE)/tables
	$(BIN)/novasim plot $(EXAMPLE) gantt-servers
	$(BIN)/novasim plot $(EXAMPLE) network -o $(EXAMPLE)/figures/network.svg
	$(BIN)/novasim report $(EXAMPLE)
	$(BIN)/novasim trace $(EXAMPLE)

clean:
	rm -rf $(VENV) build dist *.egg-info
