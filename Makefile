# Commands of the project. `make train` and `make test` are all the set-up that a fresh machine
# (Linux, CPython 3.10 to 3.13, pip) needs: each makes .venv and installs what it lacks.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONFIG ?= configs/qplex_hrl_4v4_9.yaml
WORKERS ?= 2
INPUTS ?= 100000
BIN := .venv/bin

.PHONY: train test fuzz soak coverage test-covered test-uncompiled check docs docs-serve docs-commands constraints bench clean

train: .venv/.installed
	$(BIN)/python runners/train_qplex_hrl.py --config $(CONFIG) \
		$(if $(TIMESTEPS),--total-timesteps $(TIMESTEPS))

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_FLAGS)

# Inputs that nobody should send, INPUTS of each kind: hours. tests/fuzz/README.md says more.
fuzz: .venv/.installed-dev
	$(BIN)/python tests/fuzz/run.py --inputs $(INPUTS)

# Two hours: faults in real commands, then an hour of training that must not grow or slow down.
soak: .venv/.installed-dev
	$(BIN)/python tests/faults/run.py --faults 50 --kinds killed-and-resumed
	$(BIN)/python tests/faults/run.py --faults 500
	$(BIN)/python tests/faults/run.py --faults 20 --ray
	$(BIN)/python tests/faults/soak.py --minutes 60

# All tests and what they reach. Coverage sees no compiled code, so the fast tests of the two packages
# that have any run once more without compiling, in the time that the others wait.
coverage: .venv/.installed-dev
	$(MAKE) --jobs 2 test-covered test-uncompiled
	$(BIN)/coverage combine --quiet .coverage.covered .coverage.uncompiled
	$(BIN)/coverage report

test-covered: export COVERAGE_FILE = .coverage.covered
test-covered:
	$(MAKE) test PYTEST_FLAGS="--cov --cov-report= --cov-fail-under=0"

test-uncompiled: export COVERAGE_FILE = .coverage.uncompiled
test-uncompiled: .venv/.installed-dev
	NUMBA_DISABLE_JIT=1 nice $(BIN)/python -m pytest -q -m "not slow and not browser" \
		--cov --cov-report= --cov-fail-under=0 tests/camsim tests/camcontrol > .coverage.txt 2>&1; \
		code=$$?; cat .coverage.txt; exit $$code

check: .venv/.installed-dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files

# MkDocs 1.6 is what we want: Material's note that 2 will have no plugins is no warning of ours.
docs docs-serve: export NO_MKDOCS_2_WARNING = 1

docs: .venv/.installed-dev
	$(BIN)/mkdocs build

docs-serve: .venv/.installed-dev
	$(BIN)/mkdocs serve

# Commands of the pages that take too long for the tests, each with a small amount of work.
docs-commands: .venv/.installed-dev
	$(BIN)/python -m pytest tests/docs/long_page_commands.py

# Takes the versions that are installed here, after an upgrade. Of torch only the range of
# pyproject.toml holds: a machine may have its own build of it, such as 2.13.0+cpu.
constraints:
	{ sed '/^#/!d' .ci/constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | grep -v '^torch=='; } > .ci/constraints.new
	mv .ci/constraints.new .ci/constraints.txt

bench: .venv/.installed
	$(BIN)/qplex-hrl benchmark simulator
	$(BIN)/qplex-hrl benchmark decision --scenarios MATE-4v4-9
	$(BIN)/qplex-hrl benchmark training --scenarios MATE-4v4-9 --timesteps 0

clean:
	rm -rf .venv build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[viz,compare]"
	touch $@

# CI has the versions of .ci/constraints.txt. They are of CPython 3.11: others take what the ranges allow.
.venv/.installed-dev: pyproject.toml .ci/constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev,compare]" \
		$$($(BIN)/python -c 'import sys; print("-c .ci/constraints.txt" * (sys.version_info[:2] == (3, 11)))')
	touch $@ .venv/.installed
