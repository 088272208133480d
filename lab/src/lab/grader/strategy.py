"""In which order threads run: by priorities that change seldom, or by chance."""

import time
from abc import abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import interleave_test

__all__ = ["Endless", "Given", "Point", "Search", "Strategy"]

RATES = (0.02, 0.1, 0.005)
CHANGES = (60, 15, 200)
NESTED = 0.2
_monotonic = time.monotonic  # the scheduler replaces the one in `time`

type Point = tuple[int, int]
"""A thread, and how many steps it has taken."""


class Endless(BaseException):
    """One schedule took more steps than any scenario needs. Not an `Exception`: no engine may swallow it."""


class Strategy(interleave_test.Strategy):
    """A schedule is: who runs goes on until it waits, then the oldest that can. And `deviations` from that.

    A deviation says where (a thread, and how many steps it has taken) and who goes on instead. `trace` has the
    thread and the place of every step, `stops` the steps before which a thread was stopped that could have gone
    on, `names` what the threads are called. `left` is how many steps the running thread takes without asking:
    whoever takes one counts it down and appends it.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self._clear()

    def _clear(self) -> None:
        self.trace: list[tuple[int, Any]] = []
        self.stops: list[int] = []
        self.names: dict[int, str] = {}
        self.deviations: dict[Point, int] = {}
        self.left = 0
        self._running, self._since = 0, 0
        self._taken: Counter[int] = Counter()

    def begin(self, iteration: int, seed: int) -> None:
        self._clear()

    def pick(self, runnable: Sequence[Any], current: Any, index: int) -> Any:
        usual = runnable[0] if current is None else current
        chosen = self.choose(runnable, current, usual)
        if chosen is not usual:
            self.deviations[self.point()] = chosen.tid
            if current is not None:
                self.stops.append(len(self.trace))
        self.observe(chosen, index)
        return chosen

    def observe(self, chosen: Any, index: int) -> None:
        """Also called where only one thread could go on."""
        if len(self.trace) > self.steps:
            raise Endless(f"no end after {self.steps:,} steps")
        self.point()
        if self.left <= 0 or chosen.tid != self._running:
            self.left = self.gap(chosen.tid)
        self._running, self._since = chosen.tid, len(self.trace)
        self.trace.append((chosen.tid, chosen.last_location))
        self.names[chosen.tid] = chosen.name
        self.left = max(self.left, 1) - 1

    def point(self) -> Point:
        """Where the schedule is: the thread that ran until now, and how many steps it has taken."""
        now = len(self.trace)
        self._taken[self._running] += now - self._since
        self._since = now
        return self._running, self._taken[self._running]

    @abstractmethod
    def choose(self, runnable: Sequence[Any], current: Any, usual: Any) -> Any:
        """Who goes on."""

    def acquired(self, thread: int, times: int = 1) -> None:
        """`thread`, which runs, has just taken a lock."""

    def released(self, thread: int, times: int = 1) -> None:
        """`thread`, which runs, has just given a lock back."""

    @abstractmethod
    def gap(self, thread: int) -> int:
        """Steps until `thread` may be stopped although it could go on."""


class Given(Strategy):
    """One schedule, by its deviations: those of a failed one show it again, exactly."""

    def __init__(self, steps: int, deviations: Mapping[Point, int]) -> None:
        super().__init__(steps)
        self._given, self._points = deviations, sorted(deviations)

    def choose(self, runnable: Sequence[Any], current: Any, usual: Any) -> Any:
        self.left = 0
        wanted = self._given.get(self.point())
        return next((thread for thread in runnable if thread.tid == wanted), usual)

    def gap(self, thread: int) -> int:
        now = self._taken[thread]
        following = bisect_right(self._points, (thread, now))
        if following < len(self._points) and self._points[following][0] == thread:
            return self._points[following][1] - now
        return self.steps + 1


class Search(Strategy):
    """The first schedule does not deviate. Then priorities and random walks take turns.

    Priorities: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS
    2010), with more changes: a thread that was stopped stays away for long. Most schedules stop no thread that
    holds a lock, unless it takes another: others would only come to wait for it. After half of `steps` every
    schedule becomes a random walk, which is fair: a loop that waits for another thread ends, and one that does not
    raises `Endless`. Stops by itself after `seconds`.
    """

    def __init__(self, steps: int, seconds: float) -> None:
        super().__init__(steps)
        self._until, self._longest = _monotonic() + seconds, 1

    def more(self) -> bool:
        return _monotonic() < self._until

    def begin(self, iteration: int, seed: int) -> None:
        super().begin(iteration, seed)
        self._random = Random(seed)
        self._held: Counter[int] = Counter()
        self._spares_holders = iteration % 3 > 0
        self._ranks: dict[int, float] | None = {} if iteration % 2 else None
        turn = iteration // 2
        often = RATES[turn % 3] if self._ranks is None else CHANGES[turn % 3] / self._longest
        self._rate = often if iteration else 0.0

    def end(self) -> None:
        self._longest = max(self._longest, len(self.trace))

    def choose(self, runnable: Sequence[Any], current: Any, usual: Any) -> Any:
        if len(self.trace) > self.steps // 2:
            self._ranks, self._rate, self._spares_holders = None, max(RATES), False
        due = current is not None and (self.left <= 0 or self._nested(current.tid))
        if self._ranks is not None:
            return self._highest(self._ranks, runnable, current if due else None)
        stays = self._rate == 0.0 or (current is not None and not due)
        return usual if stays else self._random.choice(runnable)

    def gap(self, thread: int) -> int:
        end = self.steps // 2 + 1
        if self._rate == 0.0 or self._spared(thread):
            return end
        return min(end, 1 + int(self._random.expovariate(self._rate)))

    def acquired(self, thread: int, times: int = 1) -> None:
        self._held[thread] += times
        if self._spared(thread):
            self.left = self.gap(thread)

    def released(self, thread: int, times: int = 1) -> None:
        spared = self._spared(thread)
        self._held[thread] -= times
        if spared and not self._spared(thread):
            self.left = self.gap(thread)

    def _nested(self, thread: int) -> bool:
        """Whether to stop a thread that holds a lock and is about to wait for something else, as in a deadlock."""
        return self._spared(thread) and self._random.random() < NESTED

    def _spared(self, thread: int) -> bool:
        return self._spares_holders and self._held[thread] > 0

    def _highest(self, ranks: dict[int, float], runnable: Sequence[Any], demoted: Any) -> Any:
        if demoted is not None:
            ranks[demoted.tid] = -float(len(self.trace))
        for thread in runnable:
            ranks.setdefault(thread.tid, self._random.random())
        return max(runnable, key=lambda thread: ranks[thread.tid])
