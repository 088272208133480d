"""The path: ten challenges in five weeks, from one source; who is installed speaks for themselves."""

import re
from pathlib import Path

import pytest

from lab import LabError, WrongUsage
from lab.challenges import Challenge, installed
from lab.learner import path, syllabus
from lab.learner.syllabus import DIMENSIONS, entries, named, taught, weeks
from lab.progress.record import ChallengeRecord, Progress
from lab.progress.store import now
from lab.progress.summary import standings, suggested

ROOT = Path(__file__).parent.parent.parent


def write(folder: Path, module: str, code: str, category: str) -> Challenge:
    (folder / module).mkdir()
    (folder / module / "__init__.py").touch()
    description = f'code = "{code}"\ntitle = "Own title"\ncategory = "{category}"\nminutes = 7\n'
    (folder / module / "challenge.toml").write_text(description)
    return Challenge(code, "Own title", category, module)


def test_the_path_is_the_ten_challenges_of_the_readme() -> None:
    rows = re.findall(r"^\| ([TMAPD]\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert taught() == rows
    assert [entry.code for entry in entries()][:10] == rows
    assert [len(week.entries) for week in weeks(installed())][:5] == [2] * 5


def test_what_is_installed_is_no_longer_to_come() -> None:
    coming = syllabus._data()["coming"]
    left = [challenge.code for challenge in installed() if challenge.code in coming]
    assert not left, f"remove {left} from [coming] in syllabus.toml: challenge.toml describes them now"


def test_every_challenge_has_minutes_skills_and_each_complexity() -> None:
    for entry in entries():
        assert entry.minutes > 0, entry.code
        assert entry.skills, entry.code
        assert tuple(entry.complexity) == DIMENSIONS
        assert all(0 <= level <= 5 for level in entry.complexity.values())
        assert entry.hardest > 0, entry.code


def test_an_installed_challenge_describes_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    here = [write(tmp_path, "own_pipeline", "T2", "Threading")]
    [entry] = [entry for week in weeks(here) for entry in week.entries if entry.code == "T2"]
    assert (entry.challenge.title, entry.minutes, entry.installed) == ("Own title", 7, True)


def test_a_stranger_comes_last_in_its_category_or_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    strangers = [write(tmp_path, "own_thing", "A0", "Threading"), write(tmp_path, "odd", "B0", "Actors")]
    here = [*strangers, write(tmp_path, "ours", "T2", "Threading")]
    found = {week.category: [entry.code for entry in week.entries] for week in weeks(here)}
    assert found["Threading"] == ["T2", "A0"]
    assert list(found)[-1] == "Actors"
    assert found["Actors"] == ["B0"]


def test_names_of_what_is_to_come_are_known() -> None:
    with pytest.raises(LabError, match="switcher") as told:
        named("swticher")
    assert isinstance(told.value, WrongUsage)
    coming = [entry for entry in entries() if not entry.installed]
    if coming:
        with pytest.raises(LabError, match="is still to come; here are: T1") as told:
            named(coming[0].challenge.folder)
        assert not isinstance(told.value, WrongUsage)


def test_the_page_is_written_from_the_same_source() -> None:
    written = (ROOT / "docs/learning-path.md").read_text()
    assert written == path.page(), "run: .venv/bin/python -m lab.learner.path docs/learning-path.md"


def test_the_page_links_only_to_what_is_there() -> None:
    for link in re.findall(r"\]\((.+?)\)", path.page()):
        assert (ROOT / "docs" / link).is_file(), link


def test_the_one_under_way_is_suggested_before_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    here = [write(tmp_path, f"m{code}", code, "Threading") for code in ("B1", "B2", "B3")]
    for folder in ("mB1", "mB2", "mB3"):
        (tmp_path / folder / "checks").mkdir()
        (tmp_path / folder / "checks/test_a.py").write_text('def test_a():\n    """A."""\n')

    def following(**records: ChallengeRecord) -> str | None:
        found = suggested(standings(weeks(here), Progress(challenges=records)))
        return found.entry.code if found else None

    begun, passed = ChallengeRecord(started=now()), ChallengeRecord(started=now(), passed=now())
    assert following() == "B1"
    assert following(B1=passed) == "B2"
    assert following(B3=begun) == "B3"
    assert following(B1=passed, B2=passed, B3=passed) is None
