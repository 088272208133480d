"""What a competent newcomer writes first: a priority queue, a thread for each consumer, and counters they share.

It works on a sunny day. Compare it with `engine` when it rains.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from queue import PriorityQueue

from log_pipeline.contract import (
    Batch,
    Busy,
    Closed,
    Ledger,
    Limits,
    Ports,
    Priority,
    Reason,
    Receipt,
    Stats,
    TooLarge,
)
from log_pipeline.contract import LogPipeline as Contract

RETRIES, RETRY_SECONDS, LAST = 3, 1.0, 99
type Entry = tuple[int, int, Batch | None]


class LogPipeline(Contract):
    """See the contract for what should be guaranteed; without a fault and a race it mostly is."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._queue: PriorityQueue[Entry] = PriorityQueue(self._limits.records)
        self._pool = ports.executor("consume", self._limits.max_consumers)
        self._numbers = itertools.count()
        self._sent: Counter[str] = Counter()
        self._began = ports.clock.monotonic()
        self._accepted, self._written = dict.fromkeys(Priority, 0), dict.fromkeys(Priority, 0)
        self._dropped = self._dead = self._consumers = self._busy = self._retries = 0
        self._closed = self._giving_up = False

    def start(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._put(batch)
        self.scale(self._limits.consumers)

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        if self._closed:
            raise Closed("the pipeline is stopping and accepts nothing more")
        if len(batch.payload) > self._limits.bytes:
            raise TooLarge(f"a batch of {len(batch.payload):,} bytes can never fit")
        if patience <= 0 and self._queue.full():
            raise Busy("the pipeline is full: try again in a few seconds")
        if self._too_fast(batch):
            if batch.priority is Priority.REST:
                return self._drop(batch)
            self._ports.clock.sleep(batch.records / self._limits.rate)
        self._put(batch)

    def scale(self, consumers: int) -> None:
        while self._consumers < consumers:
            self._consumers += 1
            self._pool.submit(self._consume)
        while self._consumers > consumers:
            self._consumers -= 1
            self._queue.put((LAST, next(self._numbers), None))

    def stats(self) -> Stats:
        accepted, written = sum(self._accepted.values()), sum(self._written.values())
        dropped, dead = self._dropped, self._dead
        in_flight = accepted - written - dropped - dead
        return Stats(
            Ledger(accepted, written, {Reason.RATE: dropped, Reason.SAMPLE: 0}, dead, in_flight),
            accepted=dict(self._accepted),
            written=dict(self._written),
            waiting={**dict.fromkeys(Priority, 0), Priority.REST: self._queue.qsize()},
            consumers=self._consumers,
            busy=self._busy,
            retries=self._retries,
        )

    def stop(self, deadline: float) -> Sequence[Batch]:
        self._closed = True
        self._giving_up = not deadline
        for _ in range(self._consumers):
            self._queue.put((LAST, next(self._numbers), None))
        self._pool.shutdown()
        left = [self._queue.get()[2] for _ in range(self._queue.qsize())]
        return [batch for batch in left if batch is not None]

    def _too_fast(self, batch: Batch) -> bool:
        self._sent[batch.source] += batch.records
        elapsed = self._ports.clock.monotonic() - self._began
        return self._sent[batch.source] > self._limits.burst + self._limits.rate * elapsed

    def _put(self, batch: Batch) -> None:
        self._queue.put((batch.priority, next(self._numbers), batch))
        self._accepted[batch.priority] += batch.records

    def _drop(self, batch: Batch) -> None:
        self._accepted[batch.priority] += batch.records
        self._dropped += batch.records
        self._ports.finished(Receipt(batch.id, dropped=batch.records))

    def _consume(self) -> None:
        while not self._giving_up:
            batch = self._queue.get()[2]
            if batch is None:
                return
            self._busy += 1
            self._write(batch)
            self._busy -= 1

    def _write(self, batch: Batch) -> None:
        for _ in range(RETRIES):
            try:
                self._ports.sink.write([batch])
            except Exception as error:
                self._retries += 1
                why = str(error)
                self._ports.clock.sleep(RETRY_SECONDS)
            else:
                self._written[batch.priority] += batch.records
                return self._ports.finished(Receipt(batch.id, written=batch.records))
        self._ports.sink.bury(batch, why)
        self._dead += batch.records
        self._ports.finished(Receipt(batch.id, dead=batch.records))
