"""How many users a load has, at any moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.load.commands import ShapeName
from lab.load.shapes import SHAPES, ramp, spike, steady

moments = st.floats(0, 1)
lengths = st.floats(1, 1e5)
crowds = st.integers(1, 5000)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@given(moments, lengths, crowds)
def test_there_is_always_somebody_and_never_too_many(
    shape: object, moment: float, seconds: float, users: int
) -> None:
    assert callable(shape)
    assert 1 <= shape(moment * seconds, users, seconds) <= users


def test_the_command_offers_every_shape() -> None:
    assert {name.value for name in ShapeName} == set(SHAPES)


def test_steady_has_all_users_all_the_time() -> None:
    assert {steady(moment, 7, 60) for moment in (0, 30, 59.9)} == {7}


def test_spike_is_calm_before_and_after() -> None:
    users = [spike(elapsed, 50, 100) for elapsed in (0, 39.9, 40, 69.9, 70, 99)]
    assert users == [10, 10, 50, 50, 10, 10]


@given(moments, moments, lengths, crowds)
def test_ramp_only_grows(one: float, other: float, seconds: float, users: int) -> None:
    early, late = sorted((one, other))
    assert ramp(early * seconds, users, seconds) <= ramp(late * seconds, users, seconds)


def test_ramp_begins_with_one_and_has_all_for_the_last_tenth() -> None:
    users = [ramp(elapsed, 90, 100) for elapsed in (0, 45, 88, 90, 100)]
    assert users == [1, 45, 88, 90, 90]
