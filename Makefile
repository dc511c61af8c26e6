# make run · make test · make check · make bench — each sets up what it needs.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin

.PHONY: run test check bench proofs demo clean

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/dev: .venv/run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

run: .venv/run  ## the app, on a demo company if nothing is loaded yet
	$(BIN)/python -m data demo --if-empty
	$(BIN)/python -m pages.kit.server --port $(PORT)

test: .venv/dev  ## all tests
	$(BIN)/python -m pytest

check: .venv/dev  ## what a commit must pass
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev  ## the measured bars, as ratios in one run where it can be
	$(BIN)/python -m tests.bench

proofs: .venv/dev  ## what the page on methods shows: published figures and simulations, computed anew
	$(BIN)/python -m tests.proofs

clean:  ## forget the environment; loaded data stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
