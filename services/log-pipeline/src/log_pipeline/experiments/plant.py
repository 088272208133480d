"""The real engine on real threads, before a sink that takes its time for each write."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from log_pipeline.contract import Batch, Limits, Ports, Priority, Receipt
from log_pipeline.engine import LogPipeline

__all__ = ["BATCH", "Plant", "plant"]

BATCH = 100  # records
LINES = b"x" * 99 + b"\n"


class PacedSink:
    """The sink port. Each write takes `seconds()`; `writes` is how many there were."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds, self.writes, self._lock = seconds, 0, threading.Lock()

    def write(self, batches: Sequence[Batch]) -> None:
        time.sleep(self._seconds())
        with self._lock:
            self.writes += 1

    def bury(self, batch: Batch, why: str) -> None:
        raise AssertionError(why)

    def abort(self) -> None:
        return


class Plant:
    """One engine. `stays` are the seconds that each batch was in it, in the order in which they ended."""

    def __init__(self, limits: Limits, seconds: Callable[[], float]) -> None:
        self.sink = PacedSink(seconds)
        self.stays: list[float] = []
        self._entered: dict[str, float] = {}
        self._awaited: dict[str, threading.Event] = {}
        self.engine = LogPipeline(Ports(sink=self.sink, finished=self._finished), limits)
        self.engine.start([])

    def send(self, batches: int) -> None:
        """Send so many batches, as fast as the engine takes them."""
        for _ in range(batches):
            batch = Batch("plant", Priority.REST, LINES * BATCH, BATCH)
            self._entered[batch.id] = float("inf")
            self.engine.submit(batch)
            self._entered[batch.id] = time.perf_counter()

    def through(self, priority: Priority) -> float:
        """Send one batch; the seconds from asking for room to its end."""
        began, batch, ended = (
            time.perf_counter(),
            Batch("plant", priority, LINES * BATCH, BATCH),
            threading.Event(),
        )
        self._awaited[batch.id] = ended
        self.engine.submit(batch)
        ended.wait()
        return time.perf_counter() - began

    def _finished(self, receipt: Receipt) -> None:
        awaited = self._awaited.pop(receipt.batch_id, None)
        if awaited:
            awaited.set()
        else:
            self.stays.append(time.perf_counter() - self._entered.pop(receipt.batch_id))


@contextmanager
def plant(limits: Limits, seconds: Callable[[], float]) -> Iterator[Plant]:
    """A plant that has written everything at the end of the block."""
    running = Plant(limits, seconds)
    try:
        yield running
    finally:
        running.engine.stop(60.0)
