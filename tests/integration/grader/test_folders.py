"""Where the grader looks."""

from pathlib import Path

from lab.challenges import Challenge, home
from lab.grader.grade import grade
from lab.grader.verdicts import Verdict


def test_it_looks_at_no_folder_above_the_checks(tally: Challenge, tmp_path: Path) -> None:
    """There may be much in it, and what pytest would run."""
    looked = tmp_path / "looked"
    for folder in (home(tally), home(tally).parent):
        (folder / "conftest.py").write_text(f"open({str(looked)!r}, 'a').close()")
    report = grade(tally, "reference", tmp_path, only=["starts_at_zero"])
    assert report.verdict is Verdict.PASS
    assert not looked.exists()
