PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: env demo test lint docs bench clean

env: .venv/installed

.venv/installed: pyproject.toml setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[plot,test]"
	touch $@

.venv/docs: .venv/installed
	$(PIP) -e ".[docs]"
	touch $@

demo: env
	$(BIN)/python examples/demo.py

test: env
	$(BIN)/python -m pytest

lint: env
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: env
	$(BIN)/python benchmarks/solvers.py

clean:
	rm -rf .venv build *.egg-info docs/_build docs/auto_examples docs/api/generated output
