"""Hints, one level at a time: from a nudge to nearly the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab import LabError, WrongUsage
from lab.challenges import nearest
from lab.grader.catalogue import Check, checks_of
from lab.grader.verdicts import Verdict
from lab.learner.syllabus import Entry
from lab.progress.changes import hinted
from lab.progress.record import Progress
from lab.progress.store import Store

__all__ = ["Hint", "open_hint", "stuck_at"]


@dataclass(frozen=True)
class Hint:
    """What is shown of one check: the texts opened so far, of `levels` there are."""

    check: str
    requirement: str
    texts: Sequence[str]
    levels: int


def stuck_at(entry: Entry, progress: Progress) -> Check:
    """The first check that did not pass when it was last judged; else the first not judged; else the first."""
    checks, known = checks_of(entry.challenge), progress.of(entry.code).checks
    failing = [one for one in checks if one.name in known and known[one.name].verdict is not Verdict.PASS]
    untried = [one for one in checks if one.name not in known]
    return [*failing, *untried, *checks][0]


def open_hint(entry: Entry, store: Store, check: str | None = None, *, further: bool = True) -> Hint:
    """Open one more level for `check`, or for where the learner is stuck, and remember it.

    Without `further`, what was opened before. Raises WrongUsage for a check that does not exist, LabError for one
    that has no hints.
    """
    chosen = _named(entry, check) if check else stuck_at(entry, store.read())
    levels = entry.hints.get(chosen.name, ())
    if not levels:
        raise LabError(f"{entry.code} has no hint for {chosen.name}. It asks for this: {chosen.requirement}")
    before = store.read().of(entry.code).hints.get(chosen.name, 0)
    level = min(before + further, len(levels))
    if level > before:
        store.update(lambda progress: hinted(progress, entry.code, chosen.name, level))
    return Hint(chosen.name, chosen.requirement, levels[:level], len(levels))


def _named(entry: Entry, name: str) -> Check:
    checks = {check.name: check for check in checks_of(entry.challenge)}
    if name not in checks:
        raise WrongUsage(f"{entry.code} has no check {name!r}: {nearest(name, checks)}")
    return checks[name]
