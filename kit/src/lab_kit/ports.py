"""The ports an engine gets instead of the world: a clock, executors, locks and a tracer.

An engine that reaches time and threads only through these runs unchanged in the live service, under a
virtual clock and under a schedule explorer. The simulated twins are in `simulated.py`.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol


class Clock(Protocol):
    """Time. Every method may be called from any thread."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def time(self) -> float:
        """Seconds since the epoch, for dates that come from outside."""

    def sleep(self, seconds: float) -> None:
        """Block the calling thread for `seconds`."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        """Call `callback` after `delay` seconds, on a thread of the clock's; it must be short."""


class Lock(Protocol):
    """What `threading.Lock` and `threading.Condition` agree on."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class Tracer(Protocol):
    """Marks on the timeline what a worker does, beyond what the executor port marks by itself."""

    def span(self, name: str, job: str = "") -> AbstractContextManager[object]:
        """A span of the calling worker, open while the context is."""


type ExecutorFactory = Callable[[str, int], Executor]
"""`executor(name, workers)`: a pool of at most `workers` threads; `name` shows on the timeline."""


class SystemClock:
    """The real time, with one daemon thread for all callbacks, started when first needed."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._timers, (time.monotonic() + delay, next(self._order), callback))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            self._next_due()()

    def _next_due(self) -> Callable[[], None]:
        with self._changed:
            while not self._timers or self._timers[0][0] > time.monotonic():
                self._changed.wait(self._timers[0][0] - time.monotonic() if self._timers else None)
            return heapq.heappop(self._timers)[2]


class NullTracer:
    """Marks nothing."""

    def span(self, name: str, job: str = "") -> AbstractContextManager[object]:
        return nullcontext()


def thread_pool(name: str, workers: int) -> Executor:
    """The plain executor port: standard library threads."""
    return ThreadPoolExecutor(workers, thread_name_prefix=name)


def plain_lock(name: str) -> Lock:
    """The plain lock port; `name` is what the lock guards."""
    return threading.Lock()


@dataclass(frozen=True)
class Ports:
    """What every thread engine gets; a challenge extends it with its own transport or files."""

    clock: Clock = field(default_factory=SystemClock)
    executor: ExecutorFactory = thread_pool
    lock: Callable[[str], Lock] = plain_lock
    tracer: Tracer = field(default_factory=NullTracer)
