"""How many users there are at each moment of a load. Pure: seconds in, users out."""

import math
from collections.abc import Callable, Mapping

__all__ = ["SHAPES", "Shape", "ramp", "spike", "steady"]

type Shape = Callable[[float, int, float], int]
"""`shape(elapsed, users, seconds)`: how many of at most `users` there are, `elapsed` seconds into `seconds`."""

CALM = 0.2  # the share of the users that is there before and after a spike
SPIKE = (0.4, 0.7)  # when the spike begins and ends, as shares of the time


def steady(elapsed: float, users: int, seconds: float) -> int:
    """All of them, all the time."""
    return users


def ramp(elapsed: float, users: int, seconds: float) -> int:
    """One more and one more; all of them for the last tenth. Shows where a service stops keeping up."""
    return _at_least_one(users * elapsed / (0.9 * seconds), users)


def spike(elapsed: float, users: int, seconds: float) -> int:
    """A fifth of them, suddenly all, then a fifth again. Shows what a queue does, and how it empties."""
    begin, end = SPIKE
    return users if begin <= elapsed / seconds < end else _at_least_one(users * CALM, users)


SHAPES: Mapping[str, Shape] = {"steady": steady, "spike": spike, "ramp": ramp}


def _at_least_one(wanted: float, users: int) -> int:
    return min(users, max(1, math.ceil(wanted)))
