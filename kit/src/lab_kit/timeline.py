"""The last spans: which worker did what, and when it waited."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Span:
    """`start` and `end` in seconds since the epoch; a `wait` span belongs to the worker that ended it."""

    worker: str
    name: str
    job: str
    phase: Literal["wait", "run"]
    start: float
    end: float


def _caller() -> str:
    """The task that runs in this thread, or the thread."""
    loop = asyncio._get_running_loop()
    task = asyncio.current_task(loop) if loop else None
    return task.get_name() if task else threading.current_thread().name


class Timeline:
    """A bounded ring of spans and the tracer that fills it. Any thread may add; a reader sees whole spans."""

    def __init__(self, capacity: int = 2000) -> None:
        self._spans: deque[Span] = deque(maxlen=capacity)

    @contextmanager
    def span(self, name: str, job: str = "") -> Iterator[None]:
        start, worker = time.time(), _caller()
        try:
            yield
        finally:
            self.add(name, job, "run", start, worker)

    def add(self, name: str, job: str, phase: Literal["wait", "run"], start: float, worker: str = "") -> None:
        """A span that ends now, of `worker`, else of the calling task or thread."""
        self._spans.append(Span(worker or _caller(), name, job, phase, start, time.time()))

    def since(self, moment: float) -> list[Span]:
        """Spans that ended after `moment`, oldest first."""
        return [span for span in self._spans.copy() if span.end > moment]
