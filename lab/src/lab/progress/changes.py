"""How progress changes: each function returns a new document and touches nothing."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lab.grader.verdicts import CheckResult, Verdict, worst
from lab.progress.record import REMEMBERED, Attempt, ChallengeRecord, CheckRecord, Progress

__all__ = ["hinted", "judged", "merged", "spoiled", "started", "without"]


def started(progress: Progress, code: str, at: datetime) -> Progress:
    """Remember when the learner first began."""
    return _with(progress, code, started=progress.of(code).started or at)


def hinted(progress: Progress, code: str, check: str, level: int) -> Progress:
    """Remember that the hints of `check` were shown up to `level`."""
    hints = progress.of(code).hints
    return _with(progress, code, hints={**hints, check: max(level, hints.get(check, 0))})


def spoiled(progress: Progress, code: str, at: datetime) -> Progress:
    """Remember when the solution was first shown."""
    return _with(progress, code, solution=progress.of(code).solution or at)


def judged(
    progress: Progress,
    code: str,
    content: str,
    results: Iterable[CheckResult],
    every: Iterable[str],
    at: datetime,
    seconds: float = 0.0,
) -> Progress:
    """Remember the verdicts on `content`. It passes once each check of `every` has passed on this very content."""
    results = list(results)
    if not results:
        return progress
    before = progress.of(code)
    new = {one.name: CheckRecord(verdict=one.verdict, content=content, at=at) for one in results}
    checks = {**before.checks, **new}
    passes = all(name in checks and _passed_on(checks[name], content) for name in every)
    return _with(
        progress,
        code,
        started=before.started or at,
        passed=before.passed or (at if passes else None),
        checks=checks,
        attempts=(*before.attempts, _attempt(content, results, at, seconds))[-REMEMBERED:],
    )


def merged(one: Progress, other: Progress) -> Progress:
    """What either knows. The order does not matter, and merging twice changes nothing."""
    codes = sorted({*one.challenges, *other.challenges})
    return Progress(challenges={code: _merged(one.of(code), other.of(code)) for code in codes})


def without(progress: Progress, code: str | None) -> Progress:
    """Forget one challenge, or all."""
    kept = {key: record for key, record in progress.challenges.items() if code not in (None, key)}
    return Progress(challenges=kept)


def _with(progress: Progress, code: str, **changes: Any) -> Progress:
    record = progress.of(code).model_copy(update=changes)
    return progress.model_copy(update={"challenges": {**progress.challenges, code: record}})


def _attempt(content: str, results: list[CheckResult], at: datetime, seconds: float) -> Attempt:
    verdicts = [result.verdict for result in results]
    return Attempt(
        at=at,
        verdict=worst(verdicts),
        content=content,
        passed=verdicts.count(Verdict.PASS),
        checks=len(verdicts),
        seconds=round(seconds, 2),
    )


def _passed_on(check: CheckRecord, content: str) -> bool:
    return check.verdict is Verdict.PASS and check.content == content


def _merged(one: ChallengeRecord, other: ChallengeRecord) -> ChallengeRecord:
    attempts = {attempt.model_dump_json(): attempt for attempt in (*one.attempts, *other.attempts)}
    in_order = sorted(attempts.items(), key=lambda item: (item[1].at, item[0]))
    return ChallengeRecord(
        started=_earliest(one.started, other.started),
        passed=_earliest(one.passed, other.passed),
        solution=_earliest(one.solution, other.solution),
        hints={
            name: max(one.hints.get(name, 0), other.hints.get(name, 0))
            for name in {**one.hints, **other.hints}
        },
        checks=_newest(one.checks, other.checks),
        attempts=tuple(attempt for _, attempt in in_order)[-REMEMBERED:],
    )


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment), default=None)


def _newest(one: Mapping[str, CheckRecord], other: Mapping[str, CheckRecord]) -> dict[str, CheckRecord]:
    names = {**one, **other}
    return {name: max((side[name] for side in (one, other) if name in side), key=_age) for name in names}


def _age(check: CheckRecord) -> tuple[datetime, str]:
    return check.at, check.model_dump_json()
