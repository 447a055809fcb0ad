# One command for each thing a developer does. Everything else: `make help`.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

# Another virtual environment, for another Python: VENV=.venv-second PYTHON=python3.13 make test-unit
VENV ?= .venv
export VENV
BIN := $(VENV)/bin
PACKAGES := libs/common libs/carrier_simulator libs/cli services/ingress services/dispatcher services/config deploy/native
SOURCES := $(PACKAGES:=/src)
LOCKS := requirements.lock requirements-build.lock requirements-dev.lock
INSTALLED := $(VENV)/.installed
# These tests have no process and no port in common, so they run on all cores.
SHARED_NOTHING := --numprocesses auto --dist worksteal
NATIVE_TOOLS := $(BIN)/python -m sms_native

.PHONY: help setup env up smoke down status check fix test test-unit test-second test-compose chaos bench mutation lock docs screenshots clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN { FS = ":.*## " } { printf "  make %-13s %s\n", $$1, $$2 }'
	@echo
	@echo "  NATIVE=1 make up      without containers, even where Docker is there"
	@echo "  AMQP_URL, MONGO_URL   use a RabbitMQ and a MongoDB that run elsewhere"
	@echo "  SMS_INSTALL=0         install no package of Debian's: say instead which one is missing"
	@echo "  PYTHON, VENV          another Python than the newest, another directory than .venv"

setup: $(INSTALLED) ## Make .venv and install everything at its locked version

$(INSTALLED): requirements-dev.lock deploy/setup.sh $(PACKAGES:=/pyproject.toml) libs/common/src/sms_common/version.py
	@deploy/setup.sh $(PACKAGES)

env: setup ## Make .env with random secrets, if there is none; starts nothing
	@$(NATIVE_TOOLS) env

up: setup ## Run everything here, send one text each way, stay until Ctrl-C
	@$(NATIVE_TOOLS) up

smoke: setup ## The same, but stop afterwards; fails unless both texts went the whole way
	@$(NATIVE_TOOLS) smoke

down: setup ## Stop whatever `make up` left running; data stay
	@$(NATIVE_TOOLS) down

status: setup ## Show what runs, and where
	@$(NATIVE_TOOLS) status

check: setup ## Formatting, lint of Python, JavaScript and shell, types, import rules, spelling, locks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES) deploy/check_locks.py tests benchmarks
	$(BIN)/lint-imports
	$(BIN)/codespell
	@deploy/lint.sh
	$(BIN)/python deploy/check_locks.py $(PACKAGES)

fix: setup ## Format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

test: setup ## All tests but those of the containers, with coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SHARED_NOTHING) -m "not integration and not e2e and not compose"
	$(BIN)/coverage run -m pytest -m "(integration or e2e) and not compose"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

test-unit: setup ## The tests that need no RabbitMQ and no MongoDB
	$(BIN)/pytest $(SHARED_NOTHING) -m "not integration and not e2e and not compose"

test-second: ## The same on a second Python: the newest that is here and not the first one's
	@deploy/second-python.sh

test-compose: setup ## The tests of docker-compose.yml, on a Docker engine
	PYTHON=$(BIN)/python deploy/compose-test.sh

chaos: setup ## Kill, cut and flood the running gateway for an hour or two; writes docs/reliability.md
	$(BIN)/python -m tests.chaos --write docs/reliability.md

mutation: setup ## Make small mistakes in what must not fail; the tests must notice 85 in 100
	$(BIN)/python -m tests.mutation

bench: setup ## Measure it beside bare programs; writes docs/performance.md
	$(BIN)/python -m benchmarks --write docs

lock: ## Resolve the dependencies into the three locks
	deploy/lock.sh $(PACKAGES)

docs: setup ## Generate the reference pages
	$(BIN)/python docs/generate.py

screenshots: setup ## Take the pictures of the portal in docs/screenshots
	$(BIN)/pytest tests/portal/test_pages.py --screenshots docs/screenshots

clean: ## Stop everything and delete data, logs, .venv and caches; .env stays
	[[ ! -x $(BIN)/python ]] || $(NATIVE_TOOLS) down
	[[ ! -d .run/docker ]] || deploy/docker-engine.sh purge
	rm -rf .run .venv .venv-second .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* htmlcov
