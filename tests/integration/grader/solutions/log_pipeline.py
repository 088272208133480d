"""Another right solution of T2, by other means: one condition, a heap, and tickets for those who wait.

It shares nothing with the reference but the contract and the token bucket: the checks ask for behaviour.
"""

import heapq
import itertools
import math
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from log_pipeline import contract as t2
from log_pipeline.contract import Batch, Limits, Ports, Priority, Reason
from log_pipeline.core.bucket import Buckets, Pass


@dataclass(eq=False)
class Item:
    """A line after another of one batch. `open` counts the records of the batch that have not ended."""

    batch: Batch
    lines: list[bytes]
    since: float
    number: int
    fate: Counter[str]

    @property
    def size(self) -> int:
        return sum(len(line) + 1 for line in self.lines)


class LogPipeline:
    """Every field below is guarded by the one condition."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self.ports, self.limits = ports, limits or Limits()
        self.changed = threading.Condition()
        self.heap: list[tuple[float, int, Item]] = []
        self.held: set[Item] = set()
        self.tickets: set[tuple[float, int]] = set()
        self.numbers = itertools.count()
        self.buckets = Buckets(self.limits)
        self.counts: Counter[str | Reason | Priority] = Counter()
        self.wrote: Counter[Priority] = Counter()
        self.size = self.wanted = self.there = 0
        self.failing: str | None = None
        self.closed = self.over = False
        self.pool = ports.executor("writers", self.limits.max_consumers)

    def start(self, batches: Sequence[Batch]) -> None:
        with self.changed:
            for batch in batches:
                self._put(batch, Pass(batch))
        self.scale(self.limits.consumers)

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        if batch.records > self.limits.records or len(batch.payload) > self.limits.bytes:
            raise t2.TooLarge("this can never fit")
        with self.changed:
            self._must_be_open()
            now = self.ports.clock.monotonic()
            claimed, until = self.buckets.claim(batch, now), now + patience
            ticket = (now + claimed.delay + batch.priority * self.limits.aging, next(self.numbers))
            try:
                self._until_ready(now + claimed.delay, until)
                self.tickets.add(ticket)
                self._until_room(claimed.kept, ticket, until)
            except (t2.Busy, t2.Closed):
                self.buckets.give_back(batch, claimed, self.ports.clock.monotonic())
                raise
            finally:
                self.tickets.discard(ticket)
                self.changed.notify_all()
            told = self._put(batch, claimed)
        self._tell(told)

    def scale(self, consumers: int) -> None:
        with self.changed:
            self.wanted = min(max(1, consumers), self.limits.max_consumers)
            missing = 0 if self.closed else max(0, self.wanted - self.there)
            self.there += missing
            self.changed.notify_all()
        for _ in range(missing):
            try:
                self.pool.submit(self._work)
            except RuntimeError:
                return

    def stats(self) -> t2.Stats:
        with self.changed:
            waiting = [item for _, _, item in self.heap]
            now = self.ports.clock.monotonic()
            return t2.Stats(
                t2.Ledger(
                    sum(self.counts[one] for one in Priority),
                    self.wrote.total(),
                    {reason: self.counts[reason] for reason in Reason},
                    self.counts["dead"],
                    self.counts["in flight"],
                ),
                accepted={one: self.counts[one] for one in Priority},
                written={one: self.wrote[one] for one in Priority},
                waiting={
                    one: sum(len(item.lines) for item in waiting if item.batch.priority == one)
                    for one in Priority
                },
                bytes=self.size,
                age=max((now - item.since for item in waiting), default=0.0),
                consumers=self.there,
                busy=self.counts["busy"],
                retries=self.counts["retries"],
                failing=self.failing,
            )

    def stop(self, deadline: float) -> Sequence[Batch]:
        with self.changed:
            self.closed = True
            self.changed.notify_all()
            until = self.ports.clock.monotonic() + deadline
            while self.counts["in flight"] and (left := until - self.ports.clock.monotonic()) > 0:
                self.changed.wait(None if math.isinf(left) else left)
            self.over = True
            self.changed.notify_all()
        self.ports.sink.abort()
        self.pool.shutdown(wait=True, cancel_futures=True)
        with self.changed:
            return self._left()

    def _left(self) -> list[Batch]:
        rest: dict[str, tuple[Batch, list[bytes]]] = {}
        items = sorted([*self.held, *(item for _, _, item in self.heap)], key=lambda item: item.number)
        for item in items:
            rest.setdefault(item.batch.id, (item.batch, []))[1].extend(item.lines)
        return [batch.holding(lines) for batch, lines in rest.values()]

    def _must_be_open(self) -> None:
        if self.closed:
            raise t2.Closed("stopping")

    def _until_ready(self, ready: float, until: float) -> None:
        if ready > until:
            raise t2.Busy("too fast")
        while (now := self.ports.clock.monotonic()) < ready:
            self.changed.wait(ready - now)
            self._must_be_open()

    def _until_room(self, batch: Batch, ticket: tuple[float, int], until: float) -> None:
        while not self._room(batch) or min(self.tickets) != ticket:
            left = until - self.ports.clock.monotonic()
            if left <= 0:
                raise t2.Busy("full")
            self.changed.wait(None if math.isinf(left) else left)
            self._must_be_open()

    def _room(self, batch: Batch) -> bool:
        records = self.counts["in flight"] + batch.records
        return records <= self.limits.records and self.size + len(batch.payload) <= self.limits.bytes

    def _put(self, batch: Batch, claimed: Pass) -> list[t2.Receipt]:
        fate = Counter(dropped=claimed.dropped)
        self.counts[batch.priority] += batch.records
        self.counts[claimed.reason] += claimed.dropped
        if not claimed.kept.records:
            return [t2.Receipt(batch.id, dropped=claimed.dropped)]
        now, number = self.ports.clock.monotonic(), next(self.numbers)
        item = Item(batch, claimed.kept.lines(), now, number, fate)
        self.counts["in flight"] += len(item.lines)
        self.size += item.size
        heapq.heappush(self.heap, (now + batch.priority * self.limits.aging, number, item))
        self.changed.notify_all()
        return []

    def _work(self) -> None:
        while items := self._take():
            try:
                self._write(items)
            finally:
                with self.changed:
                    self.counts["busy"] -= 1

    def _take(self) -> list[Item]:
        with self.changed:
            while True:
                done = self.closed and not self.heap
                if self.over or done or self.there > self.wanted:
                    self.there -= 1
                    self.changed.notify_all()
                    return []
                if self.heap and (delay := self._delay()) <= 0:
                    break
                self.changed.wait(delay if self.heap else None)
            items, size = list[Item](), 0
            while self.heap and size < self.limits.batch_bytes:
                items.append(heapq.heappop(self.heap)[2])
                size += items[-1].size
            self.held.update(items)
            self.counts["busy"] += 1
            return items

    def _delay(self) -> float:
        if self.closed or sum(item.size for _, _, item in self.heap) >= self.limits.batch_bytes:
            return 0.0
        oldest = min(item.since for _, _, item in self.heap)
        return oldest + self.limits.linger - self.ports.clock.monotonic()

    def _write(self, items: list[Item]) -> None:
        """A list of work, not a recursion: what is rejected comes back as two smaller pieces."""
        todo, tries = [items], Counter[int]()
        while todo:
            piece = todo.pop(0)
            outcome = self._try(lambda piece=piece: self.ports.sink.write([_of(item) for item in piece]))
            if outcome == "over":
                continue  # still held: `stop` returns it
            if outcome == "done":
                self._end(piece, "written")
            elif len(piece) > 1:
                todo += [piece[: len(piece) // 2], piece[len(piece) // 2 :]]
            elif len(piece[0].lines) > 1:
                todo += [[half] for half in self._halve(piece[0])]
            else:
                tries[piece[0].number] += 1
                self._again(piece, tries[piece[0].number], outcome, todo)

    def _again(self, piece: list[Item], tries: int, why: str, todo: list[list[Item]]) -> None:
        if tries < self.limits.attempts:
            if self._pause(self.limits.retry_base):
                todo.append(piece)
        elif self._try(lambda: self.ports.sink.bury(_of(piece[0]), why)) == "done":
            self._end(piece, "dead")

    def _try(self, call) -> str:  # type: ignore[no-untyped-def]  # either call of the sink
        delay = self.limits.retry_base
        while True:
            try:
                call()
            except t2.SinkFailed as error:
                with self.changed:
                    self.failing = str(error)
                if not self._pause(delay):
                    return "over"
                delay = min(2 * delay, self.limits.retry_cap)
            except Exception as error:
                return f"rejected: {error}"
            else:
                with self.changed:
                    self.failing = None
                return "done"

    def _pause(self, seconds: float) -> bool:
        with self.changed:
            self.counts["retries"] += 1
            until = self.ports.clock.monotonic() + seconds
            while not self.over and (left := until - self.ports.clock.monotonic()) > 0:
                self.changed.wait(left)
            return not self.over

    def _halve(self, item: Item) -> list[Item]:
        middle = len(item.lines) // 2
        halves = [
            Item(item.batch, lines, item.since, item.number, item.fate)
            for lines in (item.lines[:middle], item.lines[middle:])
        ]
        with self.changed:
            self.held.discard(item)
            self.held.update(halves)
        return halves

    def _end(self, items: list[Item], fate: str) -> None:
        told = []
        with self.changed:
            for item in items:
                count = len(item.lines)
                self.held.discard(item)
                self.size -= item.size
                self.counts["in flight"] -= count
                if fate == "written":
                    self.wrote[item.batch.priority] += count
                else:
                    self.counts[fate] += count
                item.fate[fate] += count
                if item.fate.total() == item.batch.records:
                    told.append(t2.Receipt(item.batch.id, **item.fate))
            self.changed.notify_all()
        self._tell(told)

    def _tell(self, receipts: Sequence[t2.Receipt]) -> None:
        for receipt in receipts:
            self.ports.finished(receipt)


def _of(item: Item) -> Batch:
    return item.batch.holding(item.lines)
