# Everything here works on a fresh machine with Python 3.11 and pip; nothing needs to be done before.
PYTHON ?= python3.11
BIN := .venv/bin
DEMO := data/demo
DASHBOARD ?= 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo test check bench serve clean

setup: .venv/.ready                                   ## the product in .venv

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/.ready-dev: .venv/.ready
	$(BIN)/pip install --quiet --editable '.[train,dev]'
	touch $@

demo: setup                                           ## Fernhollow, from its files to the ten customers most worth a call
	$(BIN)/python -m pipeline.demo --home $(DEMO)
ifeq ($(DASHBOARD),1)
	$(BIN)/moodline --home $(DEMO) dashboard
endif

test: .venv/.ready-dev                                ## all tests
	$(BIN)/python -m pytest --durations=12

check: .venv/.ready-dev                               ## what CI checks beside the tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.ready-dev                               ## speed and memory, as ratios measured in one run
	$(BIN)/moodline bench

clean:                                                ## the environment and the demo's home
	rm -rf .venv $(DEMO)
