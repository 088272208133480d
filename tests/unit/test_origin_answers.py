"""Answers: which faults show, and which then count."""

import pytest

from lab.origin.answers import Answer, Representation, answer
from lab.origin.faults import Faults
from lab.origin.ranges import Validators

DATA = bytes(range(100))
THING = Representation(100, "text/plain", Validators('"a"', 0), lambda start, stop: DATA[start:stop])
EMPTY = Representation(0, "text/plain", Validators('"a"', 0), lambda start, stop: b"")


def answered(
    thing: Representation = THING, method: str = "GET", span: str = "", **magnitudes: float
) -> tuple[Answer, set[str]]:
    faults = Faults(1)
    faults.set({name.replace("_", "-"): value for name, value in magnitudes.items()})
    plan = faults.plan("default", "/x", "", {})
    reply = answer(method, {"Range": f"bytes={span}"} if span else {}, thing, plan)
    return reply, {name for name, facts in faults.describe().items() if facts["fired"]}


def test_no_fault_no_manner() -> None:
    reply, fired = answered(span="10-19")
    assert (reply.status, reply.length, reply.headers["Content-Range"]) == (206, 10, "bytes 10-19/100")
    assert reply.manner.is_default
    assert not fired


@pytest.mark.parametrize("fault", ["stall", "drop_after", "slow_loris", "bandwidth"])
def test_what_only_a_body_can_show_fires_only_with_one(fault: str) -> None:
    assert answered(**{fault: 0.5 if fault == "drop_after" else 1})[1] == {fault.replace("_", "-")}
    assert answered(method="HEAD", **{fault: 0.5})[1] == set()
    assert answered(EMPTY, **{fault: 0.5})[1] == set()
    assert answered(span="100-", **{fault: 0.5})[1] == set()


@pytest.mark.parametrize("fault", ["ignore_range", "wrong_range", "reject_if_range_etag"])
def test_what_only_a_range_can_show_fires_only_with_one(fault: str) -> None:
    assert answered(**{fault: 1})[1] == set()


@pytest.mark.parametrize(
    ("shift", "span", "expected"),
    [
        (5, "0-9", (5, 15)),
        (-5, "10-19", (5, 15)),
        (5, "90-99", (95, 100)),
        (-5, "0-9", (0, 10)),
        (500, "0-9", (0, 10)),
    ],
)
def test_a_shifted_range_stays_within_the_file(shift: float, span: str, expected: tuple[int, int]) -> None:
    reply, fired = answered(span=span, wrong_range=shift)
    assert (reply.start, reply.stop) == expected
    assert reply.headers["Content-Range"] == f"bytes {expected[0]}-{expected[1] - 1}/100"
    assert ("wrong-range" in fired) == (f"{expected[0]}-{expected[1] - 1}" != span)


def test_a_length_can_not_be_declared_below_zero() -> None:
    assert answered(wrong_length=-500)[0].manner.lie == -100


def test_an_unknown_length_is_no_wrong_length() -> None:
    reply, fired = answered(close_length=1, wrong_length=5)
    assert (reply.manner.framing, reply.manner.lie, fired) == ("close", 0, {"close-length"})


@pytest.mark.parametrize(("after", "cut"), [(0.5, 50), (0.001, 0), (30, 30), (99, 99)])
def test_where_it_breaks(after: float, cut: int) -> None:
    assert answered(drop_after=after)[0].manner.cut == cut


def test_it_does_not_break_behind_the_end() -> None:
    assert answered(drop_after=100) == answered(drop_after=1000)
    assert answered(drop_after=100)[1] == set()
