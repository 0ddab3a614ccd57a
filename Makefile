# `make` alone prints what there is. Needs Python 3.11 or newer, git and make; everything else is fetched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tests at a time, on two cores, as many of them wait for brokers: `make test WORKERS=6` where there are more.
WORKERS ?= 3
PYTHONS ?= python3.12 python3.13
UV_VERSION := 0.13.9
# Extras stay in the locks: without them an older pip looks for the newest coverage[toml], and refuses it for want of a hash.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate

.DEFAULT_GOAL := help
.PHONY: help setup prefetch test coverage compiled pythons quick format lint chart dashboards watchday demo kafka bench profile chaos kills failover rehearse world image tryimage release sbom cluster lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(VENV)/dev.stamp  ## the virtual environment in .venv, from the locks, for development

# What the connector needs to run. The locks carry hashes, so nothing else than what was locked comes in.
$(VENV)/run.stamp: requirements/run.txt requirements/build.txt pyproject.toml connector/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements/dev.txt
	@echo "Adding the development tools ..."
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

prefetch: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.support.prefetch

test: setup prefetch  ## all tests, on real Apache Kafka; the core's own ones cover its lines and branches, all of them
	@$(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) --dist worksteal --cov=connector/core --cov-report= tests/core
	@$(BIN)/coverage report --skip-covered --show-missing --fail-under=100
	@$(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) --dist worksteal --ignore=tests/core

coverage: setup prefetch  ## all tests, and the lines and branches that they cover; half as long again as without
	@$(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) --dist worksteal --cov --cov-report=
	@$(BIN)/coverage report --skip-covered --show-missing

compiled: setup prefetch  ## the connector compiled as in the image, in build/compiled, and the tests of what is compiled
	@PYTHON=$(BIN)/python WORKERS=$(WORKERS) scripts/compiled

pythons:  ## before a release: all but whole processes, chart and image on newer Pythons; PYTHONS="python3.12 python3.13"
	@set -e; for python in $(PYTHONS); do \
		$(MAKE) --no-print-directory prefetch VENV=.venv-$$python PYTHON=$$python; \
		.venv-$$python/bin/python --version; \
		.venv-$$python/bin/python -m pytest --quiet --numprocesses $(WORKERS) --dist worksteal \
			tests/core tests/config tests/observe tests/engine tests/edge tests/runtime tests/simulator tests/cli; \
	done

quick: setup  ## in seconds, while you write: ruff, the contracts, the laws of core, config and observe with few examples
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run make format"; exit 1; }
	@said=$$($(BIN)/lint-imports) || { echo "$$said"; exit 1; }
	@$(BIN)/python -m pytest --quiet --numprocesses 2 --hypothesis-profile quick \
		--ignore tests/core/test_concurrency.py tests/core tests/config tests/observe
	@echo "Not looked at: types and docs (make lint); the limit on posts under way, engine, edge, runtime, commands, whole processes, the chart (make test)."

format: setup  ## ruff's fixes and its layout
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

lint: setup  ## ruff, mypy, the rooms' contracts, the docs' claims and the Dockerfile
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet || { echo "run make format"; exit 1; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest --quiet tests/docs
	@$(BIN)/hadolint Dockerfile

chart: setup  ## the Helm chart by real Helm, alone (`make test` has it too): linted, rendered, validated
	@$(BIN)/python helm/generate.py
	@$(BIN)/python -m pytest --quiet tests/deploy

dashboards: setup  ## Grafana's dashboards, from their code into the chart
	@$(BIN)/python -m dashboards

watchday: setup prefetch  ## the dashboards and the page through a day with every fault, with a real Prometheus and a real browser
	@$(BIN)/python -m tests.dashboards

demo: $(VENV)/run.stamp  ## the main job for real, on an embedded broker and a simulated vendor; under a minute; DEMO=--keep leaves it up
	@$(BIN)/connector demo $(DEMO)

kafka: setup  ## an Apache Kafka of one node on this machine, until Ctrl-C; prints its address
	@$(BIN)/python -m tests.support.apache_kafka

bench: setup prefetch  ## CPU per event and events a second beside a bare loop and Parallel Consumer; BENCH=--list names the scenarios
	@$(BIN)/python -m benchmarks.bench $(BENCH)

profile: setup prefetch  ## where each microsecond of a delivered event goes; PROFILE=--in-memory needs neither Kafka nor nginx
	@$(BIN)/python -m benchmarks.profile $(PROFILE)

chaos: setup prefetch  ## an hour of kills, restarts and rebalances, and the figures: lost, posted twice, recovery, memory
	@$(BIN)/python -m tests.chaos $(CHAOS)

kills: setup prefetch  ## a minute of kill -9 at full speed and at low load, and what each repeats beside the posts in flight
	@$(BIN)/python -m tests.chaos.kills $(KILLS)

failover: setup prefetch  ## a group goes on in another cluster, with MirrorMaker between two real ones; what is lost and posted twice
	@$(BIN)/python -m tests.chaos.failover $(FAILOVER)

rehearse: setup prefetch  ## each incident for real, its alert on a real Prometheus, its runbook, its end; a quarter of an hour
	@$(BIN)/python -m tests.rehearsal $(REHEARSE)

world: setup  ## random histories of whole connectors on virtual time, until stopped
	@$(BIN)/python -m tests.whole.world

image:  ## the container image
	@scripts/image

tryimage: setup prefetch  ## the image that is there, run by an engine: version, check, start to ready, a delivery, stops
	@$(BIN)/python -m tests.image

release: setup  ## image, packaged chart, bill of materials and checksums, in dist/
	@scripts/release

sbom: setup  ## the bill of materials alone (CycloneDX), in dist/
	@scripts/release sbom

cluster: setup prefetch  ## the chart installed, upgraded and tested on a real API server; needs root, Go, and minutes to build
	@$(BIN)/python -m tests.cluster

lock:  ## new locks from pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install uv==$(UV_VERSION)
	@$(LOCK) --extra otel pyproject.toml -o requirements/run.txt
	@$(LOCK) --extra otel --extra dev pyproject.toml -c requirements/run.txt -o requirements/dev.txt
	@$(LOCK) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	@$(LOCK) requirements/compile.in -c requirements/dev.txt -o requirements/compile.txt
	@$(LOCK) requirements/release.in -c requirements/dev.txt -o requirements/release.txt

clean:  ## remove the virtual environment and every cache of this folder
	@rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
	@find connector tests benchmarks -name __pycache__ -type d -exec rm -rf {} +
