#!/bin/sh
# Makes .venv from requirements.lock and installs our own packages into it, editable. Does nothing when
# nothing changed. Everything it installs stays inside the checkout.
set -eu
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
stamp=.venv/.lab-stamp
own_packages="kit lab $(echo services/*/)"

fingerprint() {
    cat requirements.lock lab/setup.sh kit/pyproject.toml lab/pyproject.toml services/*/pyproject.toml | cksum
}

is_new_enough() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null
}

find_python() {
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.14*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python; do
        if [ -n "$candidate" ] && is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    UV_PYTHON_INSTALL_DIR="$PWD/.lab/python"
    export UV_PYTHON_INSTALL_DIR
    if command -v uv >/dev/null 2>&1 && uv python install --quiet 3.13 2>/dev/null; then
        uv python find --managed-python 3.13
    fi
}

give_up() {
    echo "$1" >&2
    exit 1
}

# pip's warnings are of no use here; all it said is shown only if it fails.
install_uv() {
    case "$(.venv/bin/uv --version 2>/dev/null)" in "uv $UV_VERSION"*) return ;; esac
    said=$(.venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" 2>&1) || {
        echo "$said" >&2
        give_up "The lab could not install uv $UV_VERSION with pip (see above): is a package index reachable? Then run: make setup"
    }
}

[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ] && exit 0

python=$(find_python)
if [ -z "$python" ]; then
    give_up "The lab needs Python 3.12 or newer with venv, and found none: install one, or name it: make setup PYTHON=/path/to/python3.13"
fi
is_new_enough .venv/bin/python || { rm -rf .venv && "$python" -m venv .venv; }
echo "Installing into .venv with $(.venv/bin/python --version) ..."
install_uv
export VIRTUAL_ENV="$PWD/.venv"
.venv/bin/uv pip sync --quiet --compile-bytecode --require-hashes --allow-empty-requirements requirements.lock ||
    give_up "The lab could not install what requirements.lock names (see above): is a package index reachable? Then run: make setup"
set --
for package in $own_packages; do set -- "$@" -e "$package"; done
.venv/bin/uv pip install --quiet --no-deps "$@" ||
    give_up "The lab could not install its own packages (see above): $own_packages"
fingerprint >"$stamp"
