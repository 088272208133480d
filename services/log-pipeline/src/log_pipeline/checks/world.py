"""One engine between scripted senders and a scripted sink."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from lab_kit.ports import Clock
from lab_kit.ports import Ports as CommonPorts
from log_pipeline.contract import (
    Batch,
    Limits,
    LogPipeline,
    Ports,
    Priority,
    Receipt,
    Rejected,
    SinkFailed,
)

LIMITS = Limits(
    records=100, bytes=10_000, consumers=2, max_consumers=4, aging=10.0, batch_bytes=1, linger=0.0, rate=1e6,
    burst=1000, attempts=3, retry_base=1.0, retry_cap=4.0,
)  # fmt: skip


class ScriptedSink:
    """The sink port. A write takes `seconds`; `written` are the durable lines in order, `writes` their groups.

    While `shut`, a write hangs; while `failing`, it raises `SinkFailed`; lines that contain `poison` are rejected.
    """

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self._clock, self.seconds = clock, seconds
        self._open, self._aborted = threading.Event(), False
        self._open.set()
        self.failing, self.poison = False, b"poison"
        self.written: list[bytes] = []
        self.writes: list[list[bytes]] = []
        self.buried: list[bytes] = []
        self.fired: Counter[str] = Counter()
        self.writing = self.most_writing = 0

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def write(self, batches: Sequence[Batch]) -> None:
        lines = [line for batch in batches for line in batch.lines()]
        self.writing += 1
        self.most_writing = max(self.most_writing, self.writing)
        try:
            self._take(lines)
        finally:
            self.writing -= 1
        self.written += lines
        self.writes.append(lines)

    def bury(self, batch: Batch, why: str) -> None:
        self._check()
        self.buried += batch.lines()

    def abort(self) -> None:
        self._aborted = True
        self._open.set()

    def _take(self, lines: Sequence[bytes]) -> None:
        self._check()
        if not self._open.is_set():
            self.fired["hang"] += 1
            self._open.wait()
            self._check()
        if self.seconds:
            self._clock.sleep(self.seconds)
        if any(self.poison in line for line in lines):
            self.fired["poison"] += 1
            raise Rejected("this cannot be written")

    def _check(self) -> None:
        if self._aborted:
            raise SinkFailed("aborted")
        if self.failing:
            self.fired["failing"] += 1
            raise SinkFailed("no space left")


class World:
    """A sink for one engine; `receipts` are the ends it told of, `pools` those it made."""

    def __init__(self, engine: type[LogPipeline], common: CommonPorts, seconds: float = 0.0) -> None:
        self.engine, self.common, self.clock = engine, common, common.clock
        self.sink = ScriptedSink(common.clock, seconds)
        self.receipts: list[Receipt] = []
        self.pools: list[Executor] = []
        self.finished: Callable[[Receipt], None] = self.receipts.append

    def start(self, *batches: Batch, limits: Limits = LIMITS) -> LogPipeline:
        """A new engine, which takes over `batches`."""
        ports = Ports(
            clock=self.clock,
            executor=self._executor,
            lock=self.common.lock,
            tracer=self.common.tracer,
            sink=self.sink,
            finished=lambda receipt: self.finished(receipt),
        )
        pipeline = self.engine(ports, limits)
        pipeline.start(batches)
        return pipeline

    def lines(self, batches: Sequence[Batch]) -> list[bytes]:
        """All lines of `batches`, sorted."""
        return sorted(line for one in batches for line in one.lines())

    def until(self, happened: Callable[[], bool], seconds: float = 600.0) -> bool:
        """Wait until it has happened, at most `seconds`; returns whether it has."""
        deadline = self.clock.monotonic() + seconds
        while not happened() and self.clock.monotonic() < deadline:
            self.clock.sleep(0.05)
        return happened()

    def all_pools_closed(self) -> bool:
        """Whether no pool that the engine made takes a task any more."""
        for pool in self.pools:
            try:
                pool.submit(int)
            except RuntimeError:
                continue
            return False
        return True

    def _executor(self, name: str, workers: int) -> Executor:
        self.pools.append(self.common.executor(name, workers))
        return self.pools[-1]


def limits(**other: object) -> Limits:
    """The usual limits, but for `other`."""
    return replace(LIMITS, **other)  # type: ignore[arg-type]  # mypy cannot tell the fields apart


def batch(name: str, records: int = 1, priority: Priority = Priority.REST, source: str = "here") -> Batch:
    """A batch whose lines and whose id begin with `name`."""
    payload = b"".join(b"%s-%d\n" % (name.encode(), number) for number in range(records))
    return Batch(source, priority, payload, records, id=name)


def batches(name: str, count: int, records: int = 1, priority: Priority = Priority.REST) -> Iterator[Batch]:
    return (batch(f"{name}{number}", records, priority, source=name) for number in range(count))


def submit_all(pipeline: LogPipeline, batches: Iterable[Batch]) -> None:
    for one in batches:
        pipeline.submit(one)


def at_once(*works: Callable[[], object]) -> None:
    """Run each on a thread of its own; return when all have ended."""
    for thread in [begin(work) for work in works]:
        thread.join()


def begin(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name="sender")
    thread.start()
    return thread
