"""What is held of records that have begun is bounded for all senders together."""

from typing import Any, cast

import pytest

from lab_kit.ports import SystemClock
from log_pipeline.adapters.allowance import Allowance
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.reader import Reader
from log_pipeline.contract import Batch, Busy, Limits
from log_pipeline.core.alerts import Rules
from log_pipeline.core.sorting import Sorted


class Seen:
    def __init__(self) -> None:
        self.cut = 0

    def arrived(self, found: Sorted) -> None:
        self.cut += found.oddities["cut"]

    def refused(self, source: str, records: int) -> None:
        raise AssertionError(source)


def intake(most: int, seen: Seen) -> Intake:
    nothing = cast(Any, None)
    return Intake(nothing, SystemClock(), nothing, Rules([], 0.0), seen, Allowance(most), Limits())


def records(batches: list[Batch]) -> int:
    return sum(batch.records for batch in batches)


def test_what_has_begun_is_cut_when_all_senders_together_hold_too_much() -> None:
    seen = Seen()
    shared = intake(1000, seen)
    first, second = Reader(shared, "a"), Reader(shared, "b")
    assert records(first.feed(b"x" * 900)) == 0
    assert (records(second.feed(b"y" * 200)), second.pending, seen.cut) == (1, 0, 1)
    assert (records(first.feed(b"x\n" + b"x" * 98)), records(first.end())) == (0, 2)
    assert (records(second.feed(b"y" * 1000)), seen.cut) == (0, 1)


def test_bodies_together_are_bounded_and_what_is_done_makes_room() -> None:
    bodies = Allowance(100)
    with bodies.holding() as hold, bodies.holding() as other:
        hold(60)
        with pytest.raises(Busy, match="100 bytes already"):
            other(41)
        other(40)
    with bodies.holding() as again:
        again(100)
