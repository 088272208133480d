#!/bin/sh
# A Docker engine with Compose v2 on a machine that has none (Debian, as root; no service manager is needed).
#   docker/engine.sh start   returns when an engine answers: the one that is there, else one it installs and starts
#   docker/engine.sh stop    ends the engine that `start` started, and no other
# Images stay in the engine's own store for the next time.
set -eu

state=/run/concurrency-lab # one engine a machine, whichever checkout started it
plugins=${DOCKER_CONFIG:-$HOME/.docker}/cli-plugins

say() { echo "engine: $*"; }
fail() { say "$*" >&2; exit 1; }
answers() { docker info >/dev/null 2>&1; }
has_plugins() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

need_debian_and_root() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && return
    fail "no Docker engine with Compose v2 answers, and installing one here needs root on Debian."
}

install_engine() {
    command -v dockerd >/dev/null && command -v docker >/dev/null && command -v iptables >/dev/null && return
    say "installing docker.io"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
}

# Debian 12 has Compose v1 only; the plugins of Debian 13, on the same mirror, are static and need nothing else.
install_plugins() {
    say "fetching the plugins compose and buildx"
    draft=$(mktemp -d)
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/$') ||
        fail "apt knows no Debian mirror, where Compose v2 could come from: install docker-compose and docker-buildx."
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$draft/list"
    mkdir -p "$draft/lists/partial" "$draft/cache/archives/partial"
    apart="-oDir::Etc::SourceList=$draft/list -oDir::Etc::SourceParts=- -oDir::State::Lists=$draft/lists"
    apart="$apart -oDir::Cache=$draft/cache -oAPT::Sandbox::User=root"
    # shellcheck disable=SC2086  # several options
    apt-get $apart -qq update
    # shellcheck disable=SC2086
    (cd "$draft" && apt-get $apart -qq download docker-compose docker-buildx >/dev/null)
    for package in "$draft"/*.deb; do dpkg -x "$package" "$draft/unpacked"; done
    mkdir -p "$plugins"
    cp "$draft"/unpacked/usr/libexec/docker/cli-plugins/* "$plugins"
    rm -rf "$draft"
}

start_engine() {
    say "starting dockerd"
    mkdir -p "$state"
    dockerd --pidfile "$state/pid" >"$state/log" 2>&1 </dev/null &
    for _ in $(seq 120); do
        answers && return
        kill -0 $! 2>/dev/null || break
        sleep 0.5
    done
    tail -n 20 "$state/log" >&2
    fail "dockerd does not answer; above is the end of $state/log."
}

start() {
    answers || { need_debian_and_root && install_engine; }
    has_plugins || { need_debian_and_root && install_plugins; }
    answers || start_engine
    say "ready: $(docker version --format 'engine {{.Server.Version}}'), compose $(docker compose version --short)"
}

stop() {
    pid=$(cat "$state/pid" 2>/dev/null || true)
    if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
        say "none of ours runs"
        return
    fi
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
    say "ended"
}

case "${1:-}" in
    start | stop) "$1" ;;
    *) echo "usage: docker/engine.sh start|stop" >&2 && exit 64 ;;
esac
