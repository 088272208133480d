"""How progress changes: a pass is of one content, nothing that was earned is lost, merging is order-free."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lab.grader.verdicts import CheckResult, Verdict
from lab.progress.changes import hinted, judged, merged, spoiled, started, without
from lab.progress.record import REMEMBERED, Attempt, ChallengeRecord, CheckRecord, Progress

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVERY = ("a", "b")

moments = st.integers(0, 9).map(lambda minute: NOON + timedelta(minutes=minute))
contents = st.sampled_from(["one", "two"])
verdicts = st.sampled_from(list(Verdict))
attempts = st.builds(
    Attempt,
    at=moments,
    verdict=verdicts,
    content=contents,
    passed=st.integers(0, 2),
    checks=st.integers(0, 2),
    seconds=st.just(0.5),
)
checks = st.builds(CheckRecord, verdict=verdicts, content=contents, at=moments)
in_order = st.lists(attempts, max_size=4, unique_by=lambda one: one.model_dump_json()).map(
    lambda some: tuple(sorted(some, key=lambda one: (one.at, one.model_dump_json())))
)
records = st.builds(
    ChallengeRecord,
    started=st.none() | moments,
    passed=st.none() | moments,
    solution=st.none() | moments,
    hints=st.dictionaries(st.sampled_from(EVERY), st.integers(0, 3)),
    checks=st.dictionaries(st.sampled_from(EVERY), checks),
    attempts=in_order,
)
progresses = st.builds(Progress, challenges=st.dictionaries(st.sampled_from(["T1", "T2"]), records))


def results(**named: str) -> list[CheckResult]:
    return [CheckResult(name, "", Verdict(verdict)) for name, verdict in named.items()]


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def test_it_passes_when_every_check_passed_on_the_same_content() -> None:
    half = judged(Progress(), "T1", "one", results(a="pass"), EVERY, at(1))
    assert half.of("T1").passed is None
    assert judged(half, "T1", "two", results(b="pass"), EVERY, at(2)).of("T1").passed is None
    assert judged(half, "T1", "one", results(b="pass"), EVERY, at(2)).of("T1").passed == at(2)


def test_what_is_not_a_pass_is_none() -> None:
    for verdict in ("fail", "inconclusive", "error"):
        assert (
            judged(Progress(), "T1", "x", results(a="pass", b=verdict), EVERY, NOON).of("T1").passed is None
        )


def test_a_pass_stays_though_a_later_attempt_fails() -> None:
    passed = judged(Progress(), "T1", "one", results(a="pass", b="pass"), EVERY, at(1))
    after = judged(passed, "T1", "two", results(a="fail"), EVERY, at(2)).of("T1")
    assert (after.passed, after.checks["a"].verdict) == (at(1), Verdict.FAIL)


def test_an_attempt_says_what_it_came_to() -> None:
    progress = judged(Progress(), "T1", "one", results(a="pass", b="fail"), EVERY, NOON, 2.345)
    expected = Attempt(at=NOON, verdict=Verdict.FAIL, content="one", passed=1, checks=2, seconds=2.35)
    assert progress.of("T1").attempts == (expected,)
    assert judged(progress, "T1", "one", [], EVERY, NOON) is progress, "nothing was judged: no attempt"


def test_the_last_attempts_are_kept() -> None:
    progress = Progress()
    for number in range(REMEMBERED + 5):
        progress = judged(progress, "T1", str(number), results(a="fail"), EVERY, at(number))
    kept = progress.of("T1").attempts
    assert (len(kept), kept[-1].content) == (REMEMBERED, str(REMEMBERED + 4))


def test_the_first_time_is_what_counts() -> None:
    progress = spoiled(started(Progress(), "T1", at(1)), "T1", at(2))
    again = spoiled(started(progress, "T1", at(3)), "T1", at(4))
    assert (again.of("T1").started, again.of("T1").solution) == (at(1), at(2))


def test_hints_only_grow() -> None:
    progress = hinted(hinted(Progress(), "T1", "a", 2), "T1", "a", 1)
    assert progress.of("T1").hints == {"a": 2}


def test_forgetting_one_or_all() -> None:
    progress = started(started(Progress(), "T1", NOON), "T2", NOON)
    assert list(without(progress, "T1").challenges) == ["T2"]
    assert without(progress, None) == Progress()


@given(progresses)
def test_a_document_survives_its_file(progress: Progress) -> None:
    assert Progress.model_validate_json(progress.to_json()) == progress


@given(progresses, progresses)
def test_merging_is_the_same_either_way_round(one: Progress, other: Progress) -> None:
    assert merged(one, other) == merged(other, one)


@given(progresses, progresses)
def test_merging_twice_changes_nothing(one: Progress, other: Progress) -> None:
    once = merged(one, other)
    assert merged(once, other) == merged(once, one) == once


@given(progresses, progresses)
def test_merging_loses_nothing(one: Progress, other: Progress) -> None:
    both = merged(one, other)
    for side in (one, other):
        for code, record in side.challenges.items():
            after = both.of(code)
            assert set(record.attempts) <= set(after.attempts)
            assert all(after.hints[name] >= level for name, level in record.hints.items())
            assert all(after.checks[name].at >= check.at for name, check in record.checks.items())
            for field in ("started", "passed", "solution"):
                earned = getattr(record, field)
                assert earned is None or getattr(after, field) <= earned
