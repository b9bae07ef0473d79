PYTHON ?= python3
BIN := .venv/bin
FLOORS := .venv-floors/bin
DIST := .venv-dist/bin
INSTALL := -m pip install --quiet --disable-pip-version-check
PIP := $(BIN)/python $(INSTALL) -c constraints.txt
FLOORS_PIP := $(FLOORS)/python $(INSTALL) -c constraints-floors.txt
# A process gets successive tests, which share fixtures, and takes half of another's when it is done.
PARALLEL := -n auto --maxprocesses 4 --dist worksteal

.PHONY: env demo test test-floors lint docs bench dist clean

env: .venv/installed

.venv/installed: pyproject.toml setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e ".[plot,report,test]"
	touch $@

.venv-floors/installed: pyproject.toml setup.cfg constraints-floors.txt
	$(PYTHON) -m venv .venv-floors
	$(FLOORS_PIP) torch
	$(FLOORS_PIP) -e ".[cli,fingerprint,plot,report,skops]" pytest pytest-xdist
	touch $@

.venv/docs: .venv/installed
	$(PIP) -e ".[docs]"
	touch $@

demo: env
	$(BIN)/python examples/demo.py

test: env
	$(BIN)/python -m pytest $(PARALLEL)

# Not what needs torch alone, whose version is the same, nor what needs diffusers, sdv or the
# tools of the docs.
test-floors: .venv-floors/installed
	$(FLOORS)/python -m pytest $(PARALLEL) -m "not network" --ignore=sklearn_flipad/tabular/sdv.py \
		--ignore=sklearn_flipad/final_layer/diffusion.py \
		--ignore=sklearn_flipad/zoo/diffusion.py \
		--ignore=tests/operators --ignore=tests/solvers \
		--ignore=tests/benchmarks/zoo \
		--ignore-glob='*/test_doc*.py' --ignore-glob='tests/zoo/test_[!p]*.py'

lint: env
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: env
	$(BIN)/python -m benchmarks solvers

# Builds both distributions, checks them, and runs the README's Python in an environment that has
# nothing but the wheel and what it requires.
dist:
	rm -rf dist
	$(PYTHON) -m venv --clear .venv-dist
	$(DIST)/python $(INSTALL) build twine
	$(DIST)/python -m build
	$(DIST)/python -m twine check --strict dist/*
	$(PYTHON) -m venv --clear .venv-dist
	$(DIST)/python $(INSTALL) -c constraints.txt torch
	$(DIST)/python $(INSTALL) -c constraints.txt dist/*.whl
	sed -n '/^```python/,/^```/{/^```/!p;}' README.md | (cd dist && ../$(DIST)/python -)

clean:
	rm -rf .venv .venv-floors .venv-dist build dist *.egg-info docs/_build docs/auto_examples docs/api/generated docs/sg_execution_times.rst output
