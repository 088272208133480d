"""Who has which tile, since when, and how often it was tried."""

from collections import Counter
from collections.abc import Hashable

__all__ = ["Leases"]


class Leases[Key: Hashable]:
    """A lease lasts `seconds` from its last sign of life. Times are seconds of one monotonic clock.

    Orders are begun in the order they were given, those given again first. So one that waits lives by the signs of
    those before it, also of those that nobody wants any more; one that was overtaken has been lost with somebody,
    and ends by itself. Not thread-safe: its owner calls it.
    """

    def __init__(self, seconds: float, attempts: int) -> None:
        self._seconds, self._attempts = seconds, attempts
        self._ends: dict[Key, float] = {}  # in the order in which they are begun
        self._begun: set[Key] = set()
        self._tried: Counter[Key] = Counter()
        self._begins: Counter[Key] = Counter()

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, key: Key) -> bool:
        return key in self._ends

    def attempt(self, key: Key) -> int:
        """How often `key` was given so far."""
        return self._tried[key]

    def grant(self, key: Key, now: float) -> None:
        """`key` was given to somebody."""
        self._tried[key] += 1
        self._ends[key] = now + self._seconds
        if self._tried[key] > 1:
            self._ends = dict(sorted(self._ends.items(), key=lambda lease: self._turn(lease[0])))

    def _turn(self, key: Key) -> int:
        """What has begun, what was given again, and the rest."""
        return 0 if key in self._begun else 1 if self._tried[key] > 1 else 2

    def renew(self, key: Key, now: float) -> None:
        """A sign of life from whoever works at `key`. A lease that has ended stays ended."""
        for one in self._from(key):
            if one == key or one not in self._begun:
                self._ends[one] = now + self._seconds
        if key in self._ends and key not in self._begun:
            self._begun.add(key)
            self._begins[key] += 1

    def _from(self, key: Key) -> list[Key]:
        """`key` and what is begun after it: that is all there is, if nobody wants `key` any more."""
        given = list(self._ends)
        return given[given.index(key) :] if key in self._ends else given

    def renew_all(self, now: float) -> None:
        """After a time in which no sign of life could have arrived."""
        self._ends = dict.fromkeys(self._ends, now + self._seconds)

    def end(self, key: Key) -> None:
        """`key` is in nobody's hands any more."""
        self._ends.pop(key, None)
        self._begun.discard(key)

    def spent(self, key: Key) -> bool:
        """Whether `key` was begun as often as it may be. That nobody was there to begin it is not its fault."""
        return self._begins[key] >= self._attempts

    def expired(self, now: float) -> list[Key]:
        """Those without a sign of life for too long. They end when somebody ends them."""
        return [key for key, end in self._ends.items() if end <= now]

    def next_end(self) -> float | None:
        """When the next lease ends, if nobody renews it."""
        return min(self._ends.values(), default=None)

    def forget(self, key: Key) -> None:
        """It will not be asked for again."""
        self.end(key)
        self._tried.pop(key, None)
        self._begins.pop(key, None)
