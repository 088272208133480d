# Names, no logic: what each does is a script or a command of its own.
.DEFAULT_GOAL := help
.PHONY: help setup up down lab test check e2e load bench lock clean
BIN := .venv/bin
SERVICE ?= downloader
# Kept, whatever is usual here: hundreds of short processes would each compile anew what they import.
export PYTHONDONTWRITEBYTECODE :=

help:  ## show this
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

setup:  ## make .venv from the lock; nothing is installed outside this folder
	@lab/setup.sh

up:  ## start the lab in containers; returns when all are healthy
	@docker compose up --detach --build --wait

down:  ## end the lab, in containers or not; its data stays
	@lab/down.sh

lab: setup  ## start the lab here, without Docker; Ctrl-C ends it
	@$(BIN)/lab up

test: setup  ## all tests: units, real components, the shape of the repository
	@$(BIN)/pytest -q --numprocesses auto --dist loadfile

check: setup  ## format, lint, types, who may import whom, Prometheus rules
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@cd grafana && ../$(BIN)/mypy --strict *.py
	@$(BIN)/lint-imports --no-logo
	@docker/prometheus/check.sh

e2e: setup  ## the whole lab from outside: as processes, then in containers
	@LAB_E2E=processes $(BIN)/pytest -q tests/e2e
	@LAB_E2E=compose $(BIN)/pytest -q tests/e2e

load: setup  ## load on a running service: make load SERVICE=downloader
	@$(BIN)/lab load $(SERVICE) $(ARGS)

bench: setup  ## measure against the peers; prints ratios
	@$(BIN)/lab bench --all $(ARGS)

lock: setup  ## bring requirements.lock up to the newest versions that fit
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' --group dev --all-extras --no-emit-package lab-kit kit/pyproject.toml lab/pyproject.toml services/*/pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command 'make lock' --group bench -o bench.lock

clean:  ## end it all and remove what was made here, the lab's data included
	@lab/clean.sh
