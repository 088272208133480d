#!/bin/sh
# Ends the lab, in containers and as processes, and removes what it made: its data, its images, .venv, caches.
# The stand-ins that docker/offline/build.sh made stay, since they took a network to make.
set -eu
cd "$(dirname "$0")/.."

if docker info >/dev/null 2>&1; then
    docker compose down --volumes --remove-orphans
    docker image ls --format '{{.Repository}}' | grep -E '^concurrency-lab/(services|lab)$' | xargs -r docker image rm
fi
if [ -x .venv/bin/lab ]; then .venv/bin/lab down; fi
rm -rf .venv .lab .bench .mypy_cache .pytest_cache .hypothesis .ruff_cache .import_linter_cache
find . -name __pycache__ -type d -prune -exec rm -rf {} +
