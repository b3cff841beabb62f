# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup train test test-all test-launchers test-faults check bench bench-check bench-jax ui clean

# The first interpreter on this machine that is new enough; `make PYTHON=… setup` overrides it.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
READY := .venv/ready

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# `ready` is written last, so an interrupted set-up begins again and a finished one costs nothing.
$(READY): pyproject.toml constraints.txt $(wildcard src/experiments/training/*.cpp src/experiments/training/*.h)
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and none was found: make PYTHON=/path/to/python3 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up .venv with $$($(PYTHON) --version); PyTorch makes this take about two minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[dev]'
	@$(BIN)/experiments build || echo "Small models are trained in Python then: the same results, more slowly."
	@touch $@

setup: $(READY) ## create .venv and install the pinned dependencies

train: $(READY) ## train and test SimpleNet on MNIST and record the run in MLflow
	$(BIN)/python train.py

test: check ## lint, type-check and run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadgroup

test-all: check ## the tests, and further cases of their kinds, which `make test` leaves out
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadgroup -m "not faults and not launchers"

test-launchers: .venv/launchers ## run the sweeps' tests on Ray and submitit (Slurm)
	$(BIN)/python -m pytest -m launchers

.venv/launchers: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -c constraints.txt -e '.[dev,ray,server,slurm]'
	@touch $@

test-faults: .venv/launchers ## run the tests with real faults; write the matrix in docs/reliability.md
	$(BIN)/python -m pytest -p tests.matrix -m row

check: $(READY) ## check format, lint and strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY) ## measure against the article's loop; print tables, keep them in benchmarks/results
	$(BIN)/python -m benchmarks

bench-check: $(READY) ## compare speed with the kept results of this machine, in five minutes
	$(BIN)/python -m benchmarks.check

bench-jax: $(READY) .venv-jax/ready ## measure an epoch against the same training in JAX
	$(BIN)/python -m benchmarks.jax_epoch

.venv-jax/ready: benchmarks/jax_requirements.txt
	$(BIN)/python -m venv .venv-jax
	.venv-jax/bin/python -m pip install --disable-pip-version-check --progress-bar on -r $<
	@touch $@

ui: $(READY) ## compare the runs in the browser
	$(BIN)/experiments ui

clean: ## remove .venv and caches; never outputs/ or mlflow.db
	rm -rf .venv .venv-jax build dist .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
