#!/bin/sh
# Checks Prometheus's configuration and rules, and tests the rules, where promtool is at hand: on PATH, or unpacked by
# `lab up`. Tests of the repository fetch it where they can.
set -eu
cd "$(dirname "$0")"
promtool=$(command -v promtool || echo ../../.lab/prometheus/package/usr/bin/promtool)
[ -x "$promtool" ] || exit 0
said=$("$promtool" check config --syntax-only prometheus.yml && "$promtool" check rules rules/*.yml &&
    "$promtool" test rules tests/*.yml) || { echo "$said"; exit 1; }
