#!/bin/sh
# Ends the lab, as processes, in containers, or both. Its data stays.
cd "$(dirname "$0")/.." || exit
[ ! -x .venv/bin/lab ] || .venv/bin/lab down
command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1 || exit 0
docker compose down
