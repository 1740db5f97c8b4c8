# Everything here needs make and Python 3.11 or later; `make drill` needs nothing else.

PYTHON ?= python3
ARGS ?=
JOBS ?= 2
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help drill test lint docs bench soak clean

help:  ## what there is to make
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  %-12s %s\n' "$$name" "$$text"; done

drill: $(VENV)/installed  ## the whole procedure rehearsed on this machine, with mishaps and a report
	@$(RUN) -m fallback drill $(ARGS)

test: $(VENV)/installed-dev  ## the tests, on two cores; ARGS go to pytest: make test ARGS='-k receipt'
	@$(RUN) -m pytest -n $(JOBS) -q $(ARGS)

lint: $(VENV)/installed-dev  ## style, layout and types: ruff and mypy
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy

docs: $(VENV)/installed-dev  ## write the generated pages again
	@$(RUN) docs/generate.py

bench: $(VENV)/installed-dev  ## how fast it is, each figure beside a peer measured in the same run
	@$(RUN) -m pytest benchmarks -q --benchmark-only --benchmark-columns=median,iqr,min,rounds --benchmark-sort=fullname $(ARGS)
	@$(RUN) benchmarks/start_up.py

soak: $(VENV)/installed-dev  ## the long tests at full length
	@FALLBACK_SOAK=1 $(RUN) -m pytest -n $(JOBS) -q -m soak $(ARGS)

clean:  ## remove what was made here, the virtual environment too
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .coverage .coverage.* build dist
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the virtual environment; made again when pyproject.toml has changed

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Python 3.11 or later is needed; name one: make PYTHON=python3.12 drill' >&2; exit 2; }
	@echo 'setting up $(VENV) ...' >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(RUN)
	@$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(RUN)
	@echo 'installing what development needs ...' >&2
	@$(PIP) -e '.[dev,frame]'
	@touch $(VENV)/installed $@
