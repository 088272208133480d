"""The last spans: which worker did what, and when it waited."""

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


class Timeline:
    """A bounded ring of spans and the tracer that fills it. Any thread may add; a reader sees whole spans."""

    def __init__(self, capacity: int = 2000) -> None:
        self._spans: deque[Span] = deque(maxlen=capacity)

    @contextmanager
    def span(self, name: str, job: str = "") -> Iterator[None]:
        start = time.time()
        try:
            yield
        finally:
            self.add(name, job, "run", start)

    def add(self, name: str, job: str, phase: Literal["wait", "run"], start: float) -> None:
        """A span of the calling thread that ends now."""
        self._spans.append(Span(threading.current_thread().name, name, job, phase, start, time.time()))

    def since(self, moment: float) -> list[Span]:
        """Spans that ended after `moment`, oldest first."""
        return [span for span in self._spans.copy() if span.end > moment]
