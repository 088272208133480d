# Names, no logic: what each does is a script or a command of its own.
.DEFAULT_GOAL := help
.PHONY: help setup lab down test check load bench lock clean
BIN := .venv/bin
SERVICE ?= downloader

help:  ## show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup:  ## make .venv from the lock; nothing is installed outside this folder
	@lab/setup.sh

lab: setup  ## start the lab here, without Docker; Ctrl-C ends it
	@$(BIN)/lab up

down: setup  ## end a lab that runs in the background
	@$(BIN)/lab down

test: setup  ## all tests: units, real components, the shape of the repository
	@$(BIN)/pytest -q

check: setup  ## format, lint, types, who may import whom
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

load: setup  ## load on a running service: make load SERVICE=downloader
	@$(BIN)/lab load $(SERVICE)

bench: setup  ## measure against the peers; prints ratios
	@$(BIN)/python tests/bench/downloads.py

lock: setup  ## bring requirements.lock up to the newest versions that fit
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' --group dev --all-extras --no-emit-package lab-kit kit/pyproject.toml lab/pyproject.toml services/*/pyproject.toml -o requirements.lock

clean:  ## remove what was made here, the lab's data included
	@rm -rf .venv .lab .bench .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
