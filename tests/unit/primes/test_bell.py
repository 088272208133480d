"""Whoever wakes the engine does not wait for Redis, which may not answer."""

import queue

import pytest
from tests.integration.service import eventually

from primes.adapters.bell import Bell


class Rope:
    """Rings when the test lets it."""

    def __init__(self) -> None:
        self.pulled, self.free = 0, queue.Queue[bool]()

    def ring(self) -> None:
        self.pulled += 1
        if not self.free.get():
            raise ConnectionError("refused")


@pytest.mark.parametrize("answered", [True, False])
def test_nobody_waits_and_whoever_asks_meanwhile_has_it_rung_once_more(answered: bool) -> None:
    rope = Rope()
    bell = Bell(rope.ring, ConnectionError)
    bell()
    eventually(lambda: rope.pulled == 1)
    for _ in range(3):
        bell()
    assert rope.pulled == 1
    rope.free.put(answered)
    eventually(lambda: rope.pulled == 2)
    rope.free.put(answered)
    eventually(lambda: not bell._ringing)
    bell()
    eventually(lambda: rope.pulled == 3)
    rope.free.put(True)
