"""Where a learner stands: each challenge of the path, and the one to do next."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab import LabError
from lab.grader.catalogue import checks_of
from lab.grader.verdicts import Verdict
from lab.learner.syllabus import Entry, Week
from lab.progress.record import ChallengeRecord, Progress

__all__ = ["Standing", "standings", "suggested"]


@dataclass(frozen=True)
class Standing:
    """One challenge: `passed` of its `checks` passed when they were last judged.

    The state is coming (not installed), new, started or passed.
    """

    entry: Entry
    record: ChallengeRecord
    passed: int
    checks: int

    @property
    def state(self) -> str:
        if not self.entry.installed:
            return "coming"
        if self.record.passed:
            return "passed"
        return "started" if self.record.started else "new"

    @property
    def words(self) -> str:
        """The state, for people; of one that is under way, how far."""
        return f"{self.passed} of {self.checks}" if self.state == "started" else self.state

    @property
    def hints(self) -> int:
        """How many levels of hints were opened."""
        return sum(self.record.hints.values())


def standings(weeks: Sequence[Week], progress: Progress) -> list[Standing]:
    """Every challenge in the order of the path."""
    return [_standing(entry, progress.of(entry.code)) for week in weeks for entry in week.entries]


def suggested(every: Sequence[Standing]) -> Standing | None:
    """What to do next: the first that is under way, else the first new one; None when all have passed."""
    for state in ("started", "new"):
        for standing in every:
            if standing.state == state:
                return standing
    return None


def _standing(entry: Entry, record: ChallengeRecord) -> Standing:
    names = _checks(entry) if entry.installed else []
    passed = [name for name in names if name in record.checks and record.checks[name].verdict is Verdict.PASS]
    return Standing(entry, record, len(passed), len(names))


def _checks(entry: Entry) -> list[str]:
    """None where they cannot be read: who is writing a challenge wants to see the others all the same."""
    try:
        return [check.name for check in checks_of(entry.challenge)]
    except LabError:
        return []
