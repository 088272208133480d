"""What there is to learn, in which order: the installed challenges, as they say themselves, and those to come."""

import importlib.resources
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lab import LabError
from lab.challenges import Challenge, find, home, installed

__all__ = ["DIMENSIONS", "Entry", "Week", "entries", "named", "taught", "weeks"]

DIMENSIONS = ("threading", "multiprocessing", "asyncio", "performance", "decision")


@dataclass(frozen=True)
class Entry:
    """One challenge on the path. `complexity` is 0 to 5 in each of DIMENSIONS; `minutes` are an estimate.

    `hints` has a list for each check, from a nudge to nearly the answer.
    """

    challenge: Challenge
    installed: bool
    minutes: int = 0
    skills: Sequence[str] = ()
    features: Sequence[str] = ()
    complexity: Mapping[str, int] = field(default_factory=dict)
    hints: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.challenge.code

    @property
    def hardest(self) -> int:
        """The highest of its complexities."""
        return max(self.complexity.values(), default=0)


@dataclass(frozen=True)
class Week:
    """What is learned together; `outcome` is what the learner can do afterwards."""

    category: str
    outcome: str
    entries: Sequence[Entry]


def weeks(here: Sequence[Challenge] | None = None) -> list[Week]:
    """The weeks in order; a challenge that the syllabus does not know comes last in its category, or after all."""
    data = _data()
    known = _known(data, installed() if here is None else here)
    order = [code for week in data["weeks"] for code in week["challenges"]]
    found = [_week(week, known, order) for week in data["weeks"]]
    categories = {week.category for week in found}
    strange = sorted({entry.challenge.category for entry in known.values()} - categories)
    return found + [_week({"category": category, "challenges": []}, known, order) for category in strange]


def taught() -> list[str]:
    """The codes of the syllabus, in order."""
    return [code for week in _data()["weeks"] for code in week["challenges"]]


def entries() -> list[Entry]:
    """All challenges in the order of the weeks."""
    return [entry for week in weeks() for entry in week.entries]


def named(name: str) -> Entry:
    """The installed challenge of this code, folder or module.

    Raises WrongUsage, with the nearest name, for one that nobody knows; LabError for one that is still to come.
    """
    known = {entry.code: entry for entry in entries()}
    entry = known[find(name, [entry.challenge for entry in known.values()]).code]
    if not entry.installed:
        here = ", ".join(code for code, other in known.items() if other.installed)
        raise LabError(
            f"{entry.code} ({entry.challenge.title}) is still to come; here are: {here or 'none'}."
        )
    return entry


def _data() -> dict[str, Any]:
    text = importlib.resources.files("lab.learner").joinpath("syllabus.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _known(data: Mapping[str, Any], here: Sequence[Challenge]) -> dict[str, Entry]:
    coming = {code: _coming(code, described) for code, described in data["coming"].items()}
    return coming | {challenge.code: _described(challenge) for challenge in here}


def _coming(code: str, described: Mapping[str, Any]) -> Entry:
    challenge = Challenge(code, described["title"], described["category"], described["module"])
    return _entry(challenge, described, installed=False)


def _described(challenge: Challenge) -> Entry:
    text = (home(challenge) / "challenge.toml").read_text(encoding="utf-8")
    return _entry(challenge, tomllib.loads(text), installed=True)


def _entry(challenge: Challenge, described: Mapping[str, Any], *, installed: bool) -> Entry:
    return Entry(
        challenge,
        installed,
        minutes=described.get("minutes", 0),
        skills=tuple(described.get("skills", ())),
        features=tuple(described.get("features", ())),
        complexity={name: described.get("complexity", {}).get(name, 0) for name in DIMENSIONS},
        hints={check: tuple(levels) for check, levels in described.get("hints", {}).items()},
    )


def _week(week: Mapping[str, Any], known: Mapping[str, Entry], order: Sequence[str]) -> Week:
    listed = [known[code] for code in week["challenges"] if code in known]
    others = [
        known[code]
        for code in sorted(known)
        if code not in order and known[code].challenge.category == week["category"]
    ]
    return Week(week["category"], week.get("outcome", ""), [*listed, *others])
