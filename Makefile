# Every target finishes with what it proved, or fails. See CONTRIBUTING.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_STAMP := $(VENV)/.demo-installed
DEV_STAMP := $(VENV)/.dev-installed

.PHONY: help setup demo test golden check lint types layers deps docs cover bench sim soak lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("OffGridFlow needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): requirements/demo.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(DEV_STAMP): requirements/dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(DEMO_STAMP)

setup: $(DEMO_STAMP)  ## install OffGridFlow with locked, hashed dependencies into .venv

demo: setup  ## sample bills of three clouds in, a report out
	$(BIN)/offgridflow demo --no-serve

test: $(DEV_STAMP)  ## all tests, in random order, warnings are errors; TESTS=tests/ledger takes some
	$(BIN)/$(or $(RUNNER),python) -m pytest $(TESTS)

golden: $(DEV_STAMP)  ## three clouds on this machine -> ledger -> CLI = API = sum over the raw bills, printed
	$(BIN)/python -m pytest -q -s -p no:randomly --show-capture=no tests/acceptance/test_golden_path.py

lint: $(DEV_STAMP)  ## ruff, every rule on
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_STAMP)  ## mypy, strict
	$(BIN)/mypy

layers: $(DEV_STAMP)  ## imports go down only
	$(BIN)/lint-imports

deps: $(DEV_STAMP)  ## no unused and no missing dependency
	$(BIN)/deptry src

cover: $(DEV_STAMP)  ## lines and branches, printed
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: lint types layers deps test  ## everything that must be green before a commit

bench: $(DEV_STAMP)  ## speed and memory, printed, never asserted
	$(BIN)/python bench/run.py

sim: $(DEV_STAMP)  ## 500 seeded worlds with everything that goes wrong; SEED=n replays one
	PYTHONPATH=tests $(BIN)/python -m support.sim $(or $(SEED),1 500)

soak: $(DEV_STAMP)  ## crashes, failures and simulation at full size, properties on new examples
	OFFGRIDFLOW_SOAK=1 $(BIN)/python -m pytest --timeout 3600 tests/runner tests/ledger/test_ledger_crash.py tests/sim
	OFFGRIDFLOW_FUZZ_EXAMPLES=10000 $(BIN)/python -m pytest --timeout 3600 --hypothesis-profile=default tests/api/test_api_fuzz.py
	grep -rl "import.*given" tests | grep -v test_api_fuzz | xargs $(BIN)/python -m pytest --timeout 3600 --hypothesis-profile=default

lock:  ## resolve the dependencies again (needs uv)
	uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements/dev.txt
	uv pip compile pyproject.toml --extra server --group build --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -c requirements/dev.txt -o requirements/demo.txt

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis htmlcov .coverage*
