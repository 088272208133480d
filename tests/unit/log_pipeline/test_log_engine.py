"""The reference engine where the schedules of the checks do not look."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from log_pipeline.contract import Batch, Limits, Ports, Priority, Rejected, SinkFailed
from log_pipeline.engine import LogPipeline

WITHIN = 10.0


class Picky:
    """A sink that rejects what is poison, and buries it at the second attempt."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.buried: list[bytes] = []
        self.refuses_to_bury = True

    def write(self, batches: Sequence[Batch]) -> None:
        lines = [line for batch in batches for line in batch.lines()]
        if b"poison" in lines:
            raise Rejected("poison")
        self.lines += lines

    def bury(self, batch: Batch, why: str) -> None:
        if self.refuses_to_bury:
            self.refuses_to_bury = False
            raise SinkFailed("no space left")
        self.buried += batch.lines()

    def abort(self) -> None:
        return


@pytest.fixture
def begin() -> Iterator[Callable[..., tuple[LogPipeline, Picky]]]:
    begun = list[LogPipeline]()

    def begin(**limits: float) -> tuple[LogPipeline, Picky]:
        sink = Picky()
        engine = LogPipeline(Ports(sink=sink), Limits(linger=0.0, **limits))  # type: ignore[arg-type]
        engine.start([])
        begun.append(engine)
        return engine, sink

    yield begin
    for engine in begun:
        engine.stop(0.0)


def batch(text: bytes) -> Batch:
    return Batch("here", Priority.REST, text + b"\n", 1)


def eventually(happened: Callable[[], bool]) -> bool:
    """Whether it happens in good time."""
    never = threading.Event()
    for _ in range(int(WITHIN / 0.01)):
        if happened():
            return True
        never.wait(0.01)
    return happened()


def test_a_consumer_between_two_attempts_does_not_take_the_call_for_another(
    begin: Callable[..., tuple[LogPipeline, Picky]],
) -> None:
    engine, sink = begin(consumers=2, retry_base=1000.0, retry_cap=1000.0)
    engine.submit(batch(b"poison"))
    assert eventually(lambda: engine.stats().retries == 1)
    for number in range(1, 4):
        engine.submit(batch(b"good"))
        assert eventually(lambda: len(sink.lines) == number), f"{number} waits for who insists on poison"  # noqa: B023


def test_a_sink_that_buries_is_not_failing(begin: Callable[..., tuple[LogPipeline, Picky]]) -> None:
    engine, sink = begin(retry_base=0.001)
    engine.submit(batch(b"poison"))
    assert eventually(lambda: engine.stats().ledger.dead == 1)
    assert (sink.buried, engine.stats().failing) == ([b"poison"], None)
