"""A learner's file runs by itself, from the folder where it hides the package of its name, and with no lab."""

import subprocess
import sys
from pathlib import Path

from lab.challenges import find, home, installed

STARTER = (home(find("T1", installed())) / "starter.py").read_text()


def tried(file: Path, text: str) -> str:
    file.write_text(text)
    done = subprocess.run([sys.executable, file], capture_output=True, text=True)
    return done.stdout + done.stderr


def test_the_starter_says_what_is_not_written_yet(tmp_path: Path) -> None:
    assert tried(tmp_path / "downloader.py", STARTER).startswith("Not written yet: start, line")


def test_an_engine_downloads_from_a_real_web(tmp_path: Path) -> None:
    head, _, tail = STARTER.split("\n\n\n")
    told = tried(
        tmp_path / "downloader.py", f"{head}\n\n\nfrom downloader.engine import DownloadManager\n\n\n{tail}"
    )
    assert "It works on a sunny day" in told
