# Commands of the project. `make train` and `make test` are all the set-up that a fresh machine
# (Linux, CPython 3.10 to 3.13, pip) needs: each makes .venv and installs what it lacks.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONFIG ?= configs/qplex_hrl_4v4_9.yaml
WORKERS ?= 2
BIN := .venv/bin

.PHONY: train test soak coverage check docs docs-serve docs-commands bench clean

train: .venv/.installed
	$(BIN)/python runners/train_qplex_hrl.py --config $(CONFIG) \
		$(if $(TIMESTEPS),--total-timesteps $(TIMESTEPS))

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# An hour and a half: faults in real commands, then an hour of training that must not grow or slow down.
soak: .venv/.installed-dev
	$(BIN)/python tests/faults/run.py --faults 500
	$(BIN)/python tests/faults/soak.py --minutes 60

# Coverage sees no compiled code: the fast tests once more, without compiling.
coverage: .venv/.installed-dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q -m "not slow and not browser" \
		--cov --cov-report=term

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

bench: .venv/.installed
	$(BIN)/qplex-hrl benchmark simulator
	$(BIN)/qplex-hrl benchmark decision --scenarios MATE-4v4-9
	$(BIN)/qplex-hrl benchmark training --scenarios MATE-4v4-9 --timesteps 0

clean:
	rm -rf .venv build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[viz,compare]"
	touch $@

.venv/.installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev,compare]"
	touch $@ .venv/.installed
