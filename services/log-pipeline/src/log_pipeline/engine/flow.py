"""Everything the threads share, behind one lock. Each method is one transition of the flow of records."""

import itertools
import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import cast

from log_pipeline.contract import (
    Batch,
    Busy,
    Closed,
    Limits,
    PipelineError,
    Ports,
    Priority,
    Receipt,
    SinkFailed,
    Stats,
)
from log_pipeline.core.bucket import Buckets, Pass
from log_pipeline.engine.books import Books, Origin, Parcel, rest


class Ending(Exception):
    """The deadline of `stop` has passed: what is in hand goes back."""


class Flow:
    """The queue, the books, and who is at work.

    Three conditions of the one lock: in `_room` wait those who submit, and `stop`; in `_work` the consumers that
    want some; in `_pause` those between two attempts, whom a call for work must not reach. While it is held nobody
    calls a port but the clock.
    """

    def __init__(self, ports: Ports, limits: Limits) -> None:
        self._clock, self._limits = ports.clock, limits
        lock = cast(threading.Lock, ports.lock("flow"))
        self._room, self._work = threading.Condition(lock), threading.Condition(lock)
        self._pause = threading.Condition(lock)
        self._buckets, self._books = Buckets(limits), Books()
        self._waiting: dict[Priority, deque[Parcel]] = {priority: deque() for priority in Priority}
        self._at_the_door: set[tuple[float, int]] = set()
        self._left: list[Parcel] = []
        self._numbers = itertools.count()
        self._waiting_bytes = self._wanted = self._consumers = self._busy = self._retries = 0
        self._failing: str | None = None
        self._closed = self._ending = False

    def admit(self, batch: Batch, patience: float) -> Receipt | None:
        """Accept `batch`, or raise and accept nothing. Returns its receipt if all of it was dropped."""
        with self._room:
            self._require_open()
            now = self._clock.monotonic()
            claimed = self._buckets.claim(batch, now)
            try:
                self._await_turn(now + claimed.delay, now + patience)
                since = self._clock.monotonic()
                self._await_room(claimed.kept, now + patience)
            except PipelineError:
                self._buckets.give_back(batch, claimed, self._clock.monotonic())
                raise
            return self._accept(batch, claimed, since)

    def restore(self, batches: Sequence[Batch]) -> None:
        """Accept what was accepted once already."""
        with self._work:
            now = self._clock.monotonic()
            for batch in batches:
                self._accept(batch, Pass(batch), now)

    def hire(self, consumers: int) -> int:
        """Want so many consumers; return how many have to begin. Those there are too many leave by themselves."""
        with self._work:
            missing = max(0, consumers - self._consumers) if not self._closed else 0
            self._wanted = consumers
            self._consumers += missing
            self._work.notify_all()
            return missing

    def take(self) -> list[Parcel]:
        """Wait for the next parcels to write, the most urgent first. None: whoever asked is to leave."""
        with self._work:
            while not self._leaves():
                delay = self._until_ripe()
                if delay is not None and delay <= 0:
                    return self._group()
                self._work.wait(delay)
            self._consumers -= 1
            self._work.notify()  # the call that woke this one may have been about work
            return []

    def written(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        """`parcels` are durable; returns the receipts of the batches that have ended by that."""
        with self._room:
            self._failing = None
            for parcel in parcels:
                self._books.write(parcel)
            return self._ended(parcels)

    def buried(self, parcel: Parcel) -> list[Receipt]:
        """`parcel` is where the dead are; see `written`."""
        with self._room:
            self._failing = None
            self._books.bury(parcel)
            return self._ended([parcel])

    def retry(self, error: Exception, delay: float) -> None:
        """Wait `delay` seconds before another attempt. Raises `Ending` when there will be none."""
        with self._pause:
            self._retries += 1
            if isinstance(error, SinkFailed):
                self._failing = str(error)
            until = self._clock.monotonic() + delay
            while not self._ending and (now := self._clock.monotonic()) < until:
                self._pause.wait(until - now)
            if self._ending:
                raise Ending

    def hand_back(self, parcels: Sequence[Parcel]) -> None:
        """Still in flight, and for `stop` to return."""
        with self._work:
            self._left += parcels

    def rested(self) -> None:
        """A consumer has nothing in hand any more."""
        with self._work:
            self._busy -= 1

    def stats(self) -> Stats:
        with self._work:
            oldest = min((queue[0].since for queue in self._waiting.values() if queue), default=None)
            return Stats(
                ledger=self._books.ledger(),
                accepted=dict(self._books.accepted),
                written=dict(self._books.written),
                waiting={name: sum(one.batch.records for one in q) for name, q in self._waiting.items()},
                bytes=self._books.bytes,
                age=0.0 if oldest is None else self._clock.monotonic() - oldest,
                consumers=self._consumers,
                busy=self._busy,
                retries=self._retries,
                failing=self._failing,
            )

    def close(self, deadline: float) -> None:
        """Accept nothing more; wait until nothing is in flight, at most `deadline` seconds; then end."""
        with self._room:
            self._closed = True
            self._room.notify_all()
            self._work.notify_all()
            until = self._clock.monotonic() + deadline
            while self._books.in_flight and (now := self._clock.monotonic()) < until:
                self._room.wait(None if math.isinf(until) else until - now)
            self._ending = True
            self._work.notify_all()
            self._pause.notify_all()

    def rest(self) -> list[Batch]:
        """What nobody has written, the oldest first; for when all consumers are gone."""
        with self._work:
            return rest([*self._left, *itertools.chain(*self._waiting.values())])

    # What follows requires holding the lock.

    def _require_open(self) -> None:
        if self._closed:
            raise Closed("the pipeline is stopping and accepts nothing more")

    def _await_turn(self, ready: float, until: float) -> None:
        if ready > until:
            raise Busy("this source sends faster than it may: slow down, or try again in a few seconds")
        while (now := self._clock.monotonic()) < ready:
            self._room.wait(ready - now)
            self._require_open()

    def _await_room(self, batch: Batch, until: float) -> None:
        mine = self._ticket(batch)
        self._at_the_door.add(mine)
        try:
            while not (self._fits(batch) and mine == min(self._at_the_door)):
                now = self._clock.monotonic()
                if now >= until:
                    raise Busy("the pipeline is full: slow down, or try again in a few seconds")
                self._room.wait(None if math.isinf(until) else until - now)
                self._require_open()
        finally:
            self._at_the_door.remove(mine)
            self._room.notify_all()

    def _ticket(self, batch: Batch) -> tuple[float, int]:
        """Who is due first comes in first, as in the queue: the urgent, and nobody waits for ever."""
        return self._due(batch, self._clock.monotonic()), next(self._numbers)

    def _fits(self, batch: Batch) -> bool:
        fits = self._books.in_flight + batch.records <= self._limits.records
        return fits and self._books.bytes + len(batch.payload) <= self._limits.bytes

    def _accept(self, batch: Batch, claimed: Pass, since: float) -> Receipt | None:
        origin = Origin(batch)
        self._books.drop(origin, claimed.dropped, claimed.reason)
        if claimed.kept.records:
            parcel = Parcel(origin, claimed.kept, since, next(self._numbers))
            self._books.enter(parcel)
            self._waiting[batch.priority].append(parcel)
            self._waiting_bytes += len(parcel.batch.payload)
            self._work.notify()
        return origin.receipt

    def _leaves(self) -> bool:
        nothing_comes = self._closed and not self._waiting_bytes
        return self._ending or nothing_comes or self._consumers > self._wanted

    def _until_ripe(self) -> float | None:
        """Seconds until what waits is worth a write; None while nothing waits."""
        if not self._waiting_bytes:
            return None
        if self._closed or self._waiting_bytes >= self._limits.batch_bytes:
            return 0.0
        oldest = min(queue[0].since for queue in self._waiting.values() if queue)
        return oldest + self._limits.linger - self._clock.monotonic()

    def _group(self) -> list[Parcel]:
        group, size = list[Parcel](), 0
        while self._waiting_bytes and size < self._limits.batch_bytes:
            parcel = self._most_urgent().popleft()
            size += len(parcel.batch.payload)
            self._waiting_bytes -= len(parcel.batch.payload)
            group.append(parcel)
        self._busy += 1
        if self._waiting_bytes:
            self._work.notify()
        return group

    def _most_urgent(self) -> deque[Parcel]:
        """The queue whose first is due first."""
        queues = (queue for queue in self._waiting.values() if queue)
        return min(queues, key=lambda queue: (self._due(queue[0].batch, queue[0].since), queue[0].number))

    def _due(self, batch: Batch, since: float) -> float:
        """When it came; each priority counts as `aging` seconds later than the last."""
        return since + batch.priority * self._limits.aging

    def _ended(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        self._room.notify_all()
        origins = dict.fromkeys(parcel.origin for parcel in parcels)
        return [receipt for origin in origins if (receipt := origin.receipt)]
