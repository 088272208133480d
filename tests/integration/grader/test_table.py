"""A README lists the wrong solutions that there are, and its brief ends before it gives the lesson away."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import LabError
from lab.challenges import Challenge, find, installed
from lab.grader.engines import mutants
from lab.grader.table import BEGIN, END, inserted
from lab.learner.workspace import BRIEF_ENDS, brief, readme

T1 = find("T1", installed())


def test_the_table_of_the_readme_is_written_from_the_data() -> None:
    text = readme(T1)
    assert inserted(text, T1) == text, "run: python -m lab.grader.table T1 services/downloader/README.md"
    assert all(text.count(f"`{name}`: ") == 1 for name in mutants(T1))


def test_the_table_of_a_stranger(tally: Challenge, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"# Tally\n{BEGIN}{END}\n")
    subprocess.run([sys.executable, "-m", "lab.grader.table", tally.code, page], check=True)
    assert "| `nothing_is_lost` | `Late`: Reads before it locks. |" in page.read_text()
    assert "| `starts_at_zero` |  |  |" in page.read_text()


def test_a_readme_without_a_place_is_refused() -> None:
    with pytest.raises(LabError, match="no place"):
        inserted(f"{BEGIN} and no end", T1)


def test_the_brief_ends_before_the_solution() -> None:
    text, shown = readme(T1), brief(T1)
    assert text.startswith(shown)
    assert "## What to build" in shown
    assert "## How the reference does it" in text.partition(BRIEF_ENDS)[2]
