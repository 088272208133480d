"""A crew in a scripted world: virtual time, workers with a speed each, and mishaps as the script says."""

import heapq
import itertools
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from lab_kit.ports import Ports as CommonPorts
from lab_kit.simulated import SimulatedClock
from primes.contract import (
    Happened,
    Job,
    Kind,
    Limits,
    News,
    Order,
    Part,
    Ports,
    PrimeCalculator,
    Status,
    Tile,
)

__all__ = ["DIES", "LIMITS", "SLOW", "STUTTERS", "SWALLOWED", "UNHEARD", "WROTE_AND_DIED", "WROTE_UNHEARD",
           "ZOMBIE", "Boards", "Mishap", "World", "answer_of", "part_of"]  # fmt: skip

BEAT, RATE = 1.0, 1000.0  # seconds between signs of life; numbers a second of a worker with speed 1
PATIENCE, LONGEST = 20.0, 3600.0  # real seconds that a check waits; virtual ones that the world lasts
LIMITS = Limits(workers=3, tile=1000, lease=4.0)


@dataclass(frozen=True, slots=True)
class Mishap:
    """What goes wrong with an attempt. It ends with `end`, or silently; a `factor` makes it last longer."""

    begins: bool = True
    beats: bool = True
    writes: bool = True
    end: Happened | None = Happened.DONE
    times: int = 1
    factor: float = 1.0


WELL = Mishap()
DIES = Mishap(writes=False, end=Happened.LOST)
UNHEARD = Mishap(writes=False, beats=False, end=None)
SWALLOWED = Mishap(begins=False, beats=False, writes=False, end=None)
WROTE_AND_DIED = Mishap(end=Happened.LOST)
WROTE_UNHEARD = Mishap(end=None)
STUTTERS = Mishap(times=2)
SLOW = Mishap(factor=30.0)
ZOMBIE = Mishap(beats=False, factor=30.0)

type Script = Callable[[Order, int], Mishap]
"""The mishap of an order; the number counts all orders from 0, in the order in which they begin."""


class Boards:
    """The port `board`, in memory. It knows which boards are open, and what was `computed` how often."""

    def __init__(self) -> None:
        self.opening: Callable[[Job], None] = lambda job: None
        self.parts: dict[str, dict[Tile, Part]] = {}
        self.open: set[str] = set()
        self.computed: Counter[tuple[str, Tile]] = Counter()

    def __call__(self, job: Job, tiles: int) -> "Paper":
        self.opening(job)
        self.parts.setdefault(job.id, {})
        self.open.add(job.id)
        return Paper(self, job.id)

    def write(self, order: Order) -> None:
        self.computed[order.job, order.tile] += 1
        if order.board in self.parts:
            self.parts[order.board].setdefault(order.tile, part_of(order.tile))


class Paper:
    """A board that outlives its engine, as one in Redis."""

    def __init__(self, boards: Boards, name: str) -> None:
        self._boards, self.name = boards, name

    def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
        parts = self._boards.parts.get(self.name, {})
        return {tile: parts[tile] for tile in tiles if tile in parts}

    def close(self) -> None:
        self._boards.open.discard(self.name)

    def discard(self) -> None:
        self.close()
        self._boards.parts.pop(self.name, None)


class World:
    """The port `crew`: one of its own kind for each engine. A worker that dies is replaced at once."""

    def __init__(
        self,
        script: Script = lambda order, number: WELL,
        speeds: Sequence[float] = (1.0, 1.0, 1.0),
        boards: Boards | None = None,
        prefetch: int = 1,
        away: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.clock, self.boards = SimulatedClock(), boards or Boards()
        self.ended: list[Status] = []
        self.began: list[tuple[float, Order]] = []
        self.silent = self.closed = False
        self._script, self._speeds, self._prefetch, self._away = script, list(speeds), prefetch, away
        self._again, self._queue = deque[Order](), deque[Order]()
        self._hands: list[deque[Order]] = [deque() for _ in speeds]
        self._events: list[tuple[float, int, Callable[[], News | None]]] = []
        self._order = itertools.count()
        self._start = self.clock.monotonic()
        self._over, self._bell = threading.Event(), threading.Event()

    @property
    def seconds(self) -> float:
        """Virtual ones since the beginning."""
        return self.clock.monotonic() - self._start

    def engine(
        self, kind: type[PrimeCalculator], limits: Limits = LIMITS, jobs: Sequence[Job] = ()
    ) -> PrimeCalculator:
        """A started engine in this world."""
        common = CommonPorts()
        ports = Ports(self.clock, common.executor, common.lock, common.tracer, crew=lambda: self,
                      board=self.boards, finished=self.ended.append)  # fmt: skip
        engine = kind(ports, limits)
        engine.start(jobs)
        return engine

    def settled(self, engine: PrimeCalculator, *jobs: Job) -> list[Status]:
        """How `jobs` end; after the world has ended, where they were then."""
        for job in jobs:
            for _ in range(int(PATIENCE / 0.02)):
                if engine.wait(job.id, 0.02).state.final or self._over.is_set():
                    break
        return [engine.status(job.id) for job in jobs]

    def size(self) -> int:
        """None while they are `away`: whoever is at work then is not heard of."""
        return 0 if self._away[0] <= self.seconds < self._away[1] else len(self._speeds)

    def give(self, order: Order) -> None:
        (self._queue if order.attempt == 1 else self._again).append(order)
        self._hand_out()

    def interrupt(self) -> None:
        self._bell.set()

    def close(self) -> None:
        self.closed = True

    def news(self, timeout: float) -> Sequence[News]:
        """Moves time to what happens next, or by `timeout`. A world in which too long nothing ends is over."""
        until = self.clock.monotonic() + timeout
        if self.seconds > LONGEST:
            self._over.set()
            self._bell.wait(min(timeout, 0.02))  # real time now: nothing happens any more
            return []
        found: list[News] = []
        while self._events and self._events[0][0] <= until and not found:
            due, _, event = heapq.heappop(self._events)
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            news = event()
            found += [news] if news else []
        if not found and not self._bell.is_set():
            self.clock.advance(max(0.0, until - self.clock.monotonic()))
        self._bell.clear()
        return found

    def _hand_out(self) -> None:
        """One order each, then a second one, as far as each may take some ahead; the first is begun."""
        for held in range(self._prefetch):
            for slot, hand in enumerate(self._hands):
                queue = self._again or self._queue
                if queue and len(hand) == held:
                    hand.append(queue.popleft())
                    if not held:
                        self._begin(slot)

    def _begin(self, slot: int) -> None:
        order = self._hands[slot][0]
        mishap = self._script(order, len(self.began))
        self.began.append((self.seconds, order))
        if not mishap.begins:
            return self._leave(slot)
        worker = f"worker-{slot}"
        seconds = (order.tile.hi - order.tile.lo) / RATE / self._speeds[slot] * mishap.factor
        self._later(0.0, lambda: News(Happened.BEGAN, order, worker))
        for beat in range(1, int(seconds / BEAT) + 1) if mishap.beats else ():
            self._later(beat * BEAT, lambda: News(Happened.ALIVE, order, worker))
        self._later(seconds, lambda: self._end(order, slot, mishap, seconds))
        for _ in range(mishap.times - 1):
            self._later(seconds, lambda: News(Happened.DONE, order, worker, seconds))

    def _end(self, order: Order, slot: int, mishap: Mishap, seconds: float) -> News | None:
        if mishap.writes:
            self.boards.write(order)
        self._leave(slot)
        return News(mishap.end, order, f"worker-{slot}", seconds, "killed") if mishap.end else None

    def _leave(self, slot: int) -> None:
        """The worker takes its next order, if it has one ahead; else the oldest of the queue."""
        self._hands[slot].popleft()
        if self._hands[slot]:
            self._begin(slot)
        self._hand_out()

    def _later(self, delay: float, event: Callable[[], News | None]) -> None:
        heapq.heappush(self._events, (self.clock.monotonic() + delay, next(self._order), event))


@cache
def _primes(limit: int) -> list[int]:
    flags = bytearray([1]) * limit
    flags[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if flags[number]:
            flags[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number in range(limit) if flags[number]]


def part_of(tile: Tile) -> Part:
    """What a worker finds in `tile`, by a plain sieve."""
    found = [prime for prime in _primes(300_000) if tile.lo <= prime < tile.hi]
    if tile.rank:
        return Part(count=1, last=found[tile.rank - 1])
    if tile.kind in (Kind.COUNT, Kind.NTH) or not found:
        return Part(count=len(found))
    if tile.kind is Kind.SUM:
        return Part(count=len(found), total=sum(found))
    gaps = [(right - left, -left) for left, right in itertools.pairwise(found)]
    gap, at = max(gaps, default=(0, 0))
    twins = sum(size == 2 for size, _ in gaps)
    return Part(len(found), twins=twins, first=found[0], last=found[-1], gap=gap, gap_at=-at)


def answer_of(job: Job) -> Mapping[str, int]:
    """The right answer: the whole range as one tile."""
    whole = part_of(
        Tile(0, job.lo, job.hi, replace(job, kind=Kind.COUNT).kind if job.kind is Kind.NTH else job.kind)
    )
    if job.kind is Kind.NTH:
        return {"prime": part_of(Tile(0, job.lo, job.hi, job.kind, job.rank)).last, "rank": job.rank}
    return {
        Kind.COUNT: {"count": whole.count},
        Kind.SUM: {"sum": whole.total, "count": whole.count},
        Kind.TWINS: {"twins": whole.twins, "count": whole.count},
        Kind.GAP: {"gap": whole.gap, "after": whole.gap_at, "count": whole.count},
    }[job.kind]
