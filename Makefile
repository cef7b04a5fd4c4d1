# The commands of people and of CI. Each is a session of noxfile.py, in an environment of its own in .nox/, which nox and
# uv make and keep up to date. Another interpreter: make test PYTHON=python3.13. Some tests: make test TESTS="-k words"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two installers must not write into one environment
.PHONY: help demo test portable neighbours fuzz bench canary audit sbom lint format types docs build check venv sid clean

PYTHON ?= python3
SECONDS ?= 60
NOX := .venv-nox/bin/nox
RUN = $(NOX) $(if $(filter file,$(origin PYTHON)),,--force-python $(PYTHON)) --session

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 17

demo: $(NOX)  ## run the demo: a real nginx, seven clients, a table of the answers; SERVE=1 keeps it running
	@$(RUN) demo -- $(if $(SERVE),--serve)

test: $(NOX)  ## run the tests, with branch coverage of the library
	$(RUN) $(if $(TESTS),once -- $(TESTS),coverage once)

portable: $(NOX)  ## run the tests whose outcome may depend on the Python, without coverage
	$(RUN) portable -- $(TESTS)

neighbours: $(NOX)  ## run the tests with django-axes, Litestar, aiohttp and others, as their users install them
	$(RUN) neighbours -- $(TESTS)

fuzz: $(NOX)  ## fuzz what reads headers, certificates and lists, SECONDS=60 for each target
	$(RUN) fuzz -- --seconds $(SECONDS)

bench: $(NOX)  ## measure the library and its alternatives, ten minutes; make bench RECORD=1 puts it on the page
	$(RUN) bench -- $(if $(RECORD),--record) $(SECTIONS)

canary: $(NOX)  ## run the portable tests with cryptography's newest pre-release; CRYPTOGRAPHY=git+https://... for another
	$(RUN) canary -- $(CRYPTOGRAPHY)

audit sbom lint format types docs build venv: $(NOX)
	$(RUN) $@

audit:  ## look for known vulnerabilities in what the library installs
sbom:  ## list what the wheel of dist/ needs, in build/sbom.cdx.json
lint:  ## look for mistakes and for what the formatter would change
format:  ## mend what a machine can mend
types:  ## check the types with mypy and pyright
docs:  ## build the site into build/docs; a warning is an error
build:  ## build wheel and sdist into dist/ and check them
venv:  ## make .venv, with everything, for an editor and for single commands

check: lint types docs build test  ## run these five

sid:  ## run the portable tests on the Pythons of Debian sid, as root
	tools/test_on_sid.sh

clean:  ## remove everything these targets made
	rm -rf .nox .venv .venv-* build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find benchmarks docs examples src tests tools -name __pycache__ -prune -exec rm -rf {} +

$(NOX): pyproject.toml tools/make_venv.py
	@$(if $(filter file,$(origin PYTHON)),tools/install_packages.sh venv)
	@echo "Installing what 'make' needs into .venv-nox."
	$(PYTHON) tools/make_venv.py .venv-nox
	@touch $@
