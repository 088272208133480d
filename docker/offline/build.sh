#!/bin/sh
# Stand-ins of the third-party images, from Debian packages, for a network without a container registry.
# Needs a running engine, root, and the Debian mirror that this machine's apt uses. What is there is not built again:
# the engine keeps the images, and CONCURRENCY_LAB_CACHE (~/.cache/concurrency-lab) a copy, which a fresh engine loads.
# Use them with COMPOSE_FILE=compose.yaml:docker/offline/compose.yaml.
set -eu
cd "$(dirname "$0")"

suite=forky # the Debian suite with Python 3.14
cache=${CONCURRENCY_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/concurrency-lab}
bundle=/etc/ssl/certs/ca-certificates.crt
recipe=$(cat Dockerfile build.sh "$bundle" | cksum | cut -d' ' -f1)
saved=$cache/offline-images-$suite-$(uname -m)-$recipe.tar
debian=concurrency-lab/offline-debian:$recipe
names="python redis prometheus"

say() { echo "offline: $*"; }
fail() { say "$*" >&2; exit 1; }

images() { for name in $names; do echo "concurrency-lab/offline-$name:$1"; done; }

# shellcheck disable=SC2046  # several images
complete() { docker image inspect $(images "$recipe") >/dev/null 2>&1; }

install_debootstrap() {
    command -v debootstrap >/dev/null && return
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

# What this machine needs to reach its mirror and package indexes, the stand-ins need too: apt's way there, and the
# certificates that it trusts. The real images get neither.
import_debian() {
    docker image inspect "$debian" >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || fail "building the stand-ins needs root, for debootstrap."
    say "bootstrapping Debian $suite (a minute)"
    install_debootstrap
    draft=$(mktemp -d)
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 '/debian/$') ||
        fail "apt knows no Debian mirror to build from."
    scripts=/usr/share/debootstrap/scripts
    script=$scripts/$suite
    [ -e "$script" ] || script=$scripts/sid
    debootstrap --variant=minbase --include=ca-certificates "$suite" "$draft" "$mirror" "$script" >"$cache/debootstrap.log" ||
        { tail -n 5 "$cache/debootstrap.log" >&2 && fail "Debian $suite cannot be had from apt's mirror, see above."; }
    apt-config dump | grep -E '^Acquire::(http|https|Check-)' >"$draft/etc/apt/apt.conf.d/90host" || true
    cp "$bundle" "$draft$bundle"
    rm -rf "$draft"/var/cache/apt/archives/*.deb "$draft"/var/lib/apt/lists/*
    tar -C "$draft" -c . | docker import --change "ENV SSL_CERT_FILE=$bundle PIP_CERT=$bundle" - "$debian" >/dev/null
    rm -rf "$draft"
}

build() {
    import_debian
    for name in $names; do
        say "building the stand-in of $name"
        docker buildx build --progress plain --build-arg "DEBIAN_IMAGE=$debian" --target "$name" \
            --tag "concurrency-lab/offline-$name:$recipe" . >"$cache/build.log" 2>&1 ||
            { tail -n 20 "$cache/build.log" >&2 && fail "the stand-in of $name cannot be built, see above."; }
    done
}

docker info >/dev/null 2>&1 || fail "no Docker engine answers: docker/engine.sh start"
mkdir -p "$cache"
if ! complete && [ -f "$saved" ]; then
    say "loading $saved"
    docker load --quiet --input "$saved" >/dev/null
fi
complete || build
# shellcheck disable=SC2046
[ -f "$saved" ] || { docker save --output "$saved.part" $(images "$recipe") && mv "$saved.part" "$saved"; }
for name in $names; do docker tag "concurrency-lab/offline-$name:$recipe" "concurrency-lab/offline-$name"; done
say "ready:" $(images latest)
