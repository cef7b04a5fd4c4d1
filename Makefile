# The commands of people and of CI. Each target makes the virtual environment it needs and installs what it needs into it;
# nothing is installed again until pyproject.toml changes. Another interpreter: make test PYTHON=python3.13

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two pips must not write into one environment
.PHONY: help demo test bench fuzz lint format types docs build check clean

PYTHON ?= python3
ifneq ($(origin PYTHON),file)
suffix := -$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif
SECONDS ?= 60
VENV ?= .venv$(suffix)
BIN := $(VENV)/bin

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 13

demo: $(VENV)/.has-demo  ## run the demo: a real nginx, seven clients, a table of what became of each; SERVE=1 keeps it running
	$(BIN)/python -m examples.demo $(if $(SERVE),--serve)

test: $(VENV)/.has-test  ## run the tests, with branch coverage of the library
	@tools/install_packages.sh openssl curl haproxy apache2  # what makes certificates, sends requests, and is tested behind
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

fuzz: $(VENV)/.has-test $(VENV)/.has-fuzz  ## fuzz what reads headers, certificates and lists, SECONDS=60 for each target
	cd tests && $(abspath $(BIN))/python -m core.fuzz --seconds $(SECONDS)

bench: $(VENV)/.has-bench  ## measure the library beside its alternatives, ten minutes; make bench RECORD=1 puts it on the page
	$(BIN)/python -m benchmarks $(if $(RECORD),--record) $(SECTIONS)

lint: $(VENV)/.has-lint  ## look for mistakes and for what the formatter would change
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.has-lint  ## mend what can be mended by machine
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.has-test $(VENV)/.has-docs $(VENV)/.has-lint  ## check the types with mypy and pyright
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	PATH="$(abspath $(BIN)):$$PATH" pyright --ignoreexternal --verifytypes sslclientcert

docs: $(VENV)/.has-test $(VENV)/.has-docs  ## build the site into build/docs; a warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs

build: $(VENV)/.has-build  ## build wheel and sdist into dist/ and check them
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

check: lint types docs build test  ## everything above

clean:  ## remove everything these targets made
	rm -rf .venv .venv-* build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks docs examples src tests tools -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@$(if $(suffix),,tools/install_packages.sh venv)
	$(PYTHON) tools/make_venv.py $(VENV)

$(VENV)/.has-%: pyproject.toml | $(BIN)/python
	@echo "Installing what 'make $(firstword $(MAKECMDGOALS))' needs into $(VENV); the first time this takes a minute or two."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
