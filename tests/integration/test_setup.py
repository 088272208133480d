"""The setup script where nothing can be installed: it says what failed, and does not call it done."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = """#!/bin/sh
case "$*" in
    --version) sed -n 's/^UV_VERSION=/uv /p' lab/setup.sh ;;
    *"$FAILING"*) echo "error: the reason" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script reads, and no .venv."""
    for path in ("requirements.lock", "lab/setup.sh", "kit/pyproject.toml", "lab/pyproject.toml"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    shutil.copytree(ROOT / "services", tmp_path / "services", ignore=shutil.ignore_patterns("src"))
    return tmp_path


def run_setup(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(checkout), "PYTHON": sys.executable} | environment
    command = [str(checkout / "lab/setup.sh")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=50)


def test_without_a_package_index(checkout: Path) -> None:
    done = run_setup(checkout, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert done.returncode == 1
    *reason, sentence = done.stderr.splitlines()
    assert any("No matching distribution found for uv" in line for line in reason)
    assert sentence.startswith("The lab could not install uv ")
    assert not (checkout / ".venv/.lab-stamp").exists()


@pytest.mark.parametrize(
    ("failing", "words"),
    [("pip sync", "what requirements.lock names"), ("pip install", "its own packages (see above): kit lab")],
)
def test_what_uv_cannot_install(checkout: Path, failing: str, words: str) -> None:
    binaries = checkout / ".venv/bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)
    (binaries / "uv").write_text(UV)
    (binaries / "uv").chmod(0o755)
    done = run_setup(checkout, FAILING=failing)
    assert done.returncode == 1
    reason, sentence = done.stderr.splitlines()
    assert reason == "error: the reason"
    assert sentence.startswith(f"The lab could not install {words}")
    assert not (checkout / ".venv/.lab-stamp").exists()
    assert run_setup(checkout, FAILING="nothing").returncode == 0, "the same again, with nothing in its way"
    assert (checkout / ".venv/.lab-stamp").exists()
