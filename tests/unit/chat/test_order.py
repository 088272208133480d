"""One order, whatever comes twice, early, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from chat.core.order import Sequencer


@given(st.permutations(range(6, 16)), st.lists(st.integers(1, 15)))
def test_each_is_let_through_once_and_in_order(arrivals: list[int], again: list[int]) -> None:
    order = Sequencer[int](5)
    through = [thing for number in [*arrivals, *again] for thing in order.take(number, number)]
    assert through == list(range(6, 16))
    assert (order.position, order.gap) == (15, None)


def test_a_gap_is_what_is_missing_before_what_is_here() -> None:
    order = Sequencer[str](0)
    assert order.take(4, "four") == []
    assert order.gap == (1, 3)
    assert order.take(1, "one") == ["one"]
    assert order.gap == (2, 3)


@given(st.sets(st.integers(1, 30)), st.integers(0, 30))
def test_what_will_never_come_is_skipped(here: set[int], deleted_up_to: int) -> None:
    order = Sequencer[int](0)
    through = [thing for number in sorted(here, reverse=True) for thing in order.take(number, number)]
    through += order.skip_to(deleted_up_to)
    assert through == sorted(through)
    assert order.position >= deleted_up_to
    assert set(through) >= {number for number in here if number <= deleted_up_to}
