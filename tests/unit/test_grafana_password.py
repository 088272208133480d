"""Grafana's admin has a password that is given, or made at the first start; never a known one."""

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "docker/grafana.sh"
COMMAND = ("sh", "-c", 'cat "$GF_SECURITY_ADMIN_PASSWORD__FILE"; echo " ${GRAFANA_PASSWORD-gone}"')


def start(folder: Path, password: str = "") -> str:
    """Start the script with a command that tells the password, in place of Grafana."""
    environ = {"GF_PATHS_DATA": str(folder), "GRAFANA_PASSWORD": password, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(["sh", SCRIPT, *COMMAND], env=environ, capture_output=True, text=True, check=True)
    told, environment = done.stdout.split()
    assert environment == "gone", "the password is in a file, not in Grafana's environment"
    return told


def test_a_given_password_is_taken(tmp_path: Path) -> None:
    assert start(tmp_path, "correct-horse") == "correct-horse"
    assert start(tmp_path) == "correct-horse", "and kept"


def test_one_is_made_and_kept(tmp_path: Path) -> None:
    made = start(tmp_path)
    assert len(made) == 24
    assert start(tmp_path) == made
    assert (tmp_path / "admin-password").stat().st_mode & 0o777 == 0o600


def test_no_two_are_alike(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert start(tmp_path / "one") != start(tmp_path / "two")
