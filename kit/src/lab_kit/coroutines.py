"""The asyncio twins of the ports: a clock, tasks and semaphores for an engine that lives on an event loop.

Time is the loop's: on `lab.grader.virtual`'s loop the same objects are the simulated ones, and a day of sleep
takes none.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import structlog
from prometheus_client import Histogram

from lab_kit.metrics import EngineMetrics
from lab_kit.ports import NullTracer, Tracer

log = structlog.get_logger(__name__)


class AsyncClock(Protocol):
    """Time, for the coroutines of one loop."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def time(self) -> float:
        """Seconds since the epoch, for dates that come from outside."""

    async def sleep(self, seconds: float) -> None:
        """Let others run for `seconds`; a cancellation ends it at once."""


class Spawn(Protocol):
    """Begins a task, as `asyncio.create_task` does; `name` shows on the timeline. Keep what it returns."""

    def __call__[T](self, work: Coroutine[Any, Any, T], name: str = "task") -> asyncio.Task[T]: ...


type SemaphoreFactory = Callable[[str, int], asyncio.Semaphore]
"""`semaphore(name, value)`; `name` is what it bounds. A lock is one with the value 1."""


class LoopClock:
    """The running loop's time: real in a service, virtual under the grader."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def time(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def plain_spawn[T](work: Coroutine[Any, Any, T], name: str = "task") -> asyncio.Task[T]:
    """The plain task port."""
    return asyncio.create_task(work, name=name)


def plain_semaphore(name: str, value: int) -> asyncio.Semaphore:
    """The plain semaphore port."""
    return asyncio.Semaphore(value)


def on_loop[T](loop: asyncio.AbstractEventLoop, look: Callable[[], T], seconds: float = 1.0) -> T:
    """What `look` returns, run on `loop`, whichever thread asks. Raises TimeoutError if the loop is blocked.

    A scrape comes on a thread of its own, and between two awaits of an asyncio engine nothing is consistent.
    """

    async def looked() -> T:
        return look()

    if asyncio._get_running_loop() is loop:
        return look()
    return asyncio.run_coroutine_threadsafe(looked(), loop).result(seconds)


@dataclass(frozen=True)
class AsyncPorts:
    """What every asyncio engine gets; a challenge extends it with its own transport or stores."""

    clock: AsyncClock = field(default_factory=LoopClock)
    spawn: Spawn = plain_spawn
    semaphore: SemaphoreFactory = plain_semaphore
    tracer: Tracer = field(default_factory=NullTracer)


def measured(metrics: EngineMetrics, workers: int, tracer: Tracer) -> AsyncPorts:
    """Ports for one engine whose tasks, waits and spans show; `workers` is how many tasks keep it busy."""
    tasks = _MeasuredTasks(metrics, workers)
    return AsyncPorts(spawn=tasks.spawn, semaphore=lambda *given: _Measured(metrics.waited(given[0]), *given),
                      tracer=tracer)  # fmt: skip


class _MeasuredTasks:
    """Each task gets the lowest free lane of its name: so the timeline has as many rows as tasks at once."""

    def __init__(self, metrics: EngineMetrics, workers: int) -> None:
        self._metrics = metrics
        self._running = 0
        for gauge in (metrics.in_flight, metrics.busy):
            gauge.set_function(lambda: self._running)
        metrics.idle.set_function(lambda: max(0, workers - self._running))
        self._free: dict[str, list[int]] = {}
        self._used: dict[str, int] = {}

    def spawn[T](self, work: Coroutine[Any, Any, T], name: str = "task") -> asyncio.Task[T]:
        lane, asked = self._lane(name), time.time()
        # The loop runs this just before the first step of the task: what both wait for is the loop.
        asyncio.get_running_loop().call_soon(lambda: self._metrics.wait.observe(time.time() - asked))
        task = asyncio.create_task(work, name=f"{name}-{lane}")
        self._running += 1

        def ended(task: asyncio.Task[T]) -> None:
            self._running -= 1
            heapq.heappush(self._free[name], lane)
            error = None if task.cancelled() else task.exception()
            if error:  # asking has silenced the loop's own complaint about an error that nobody retrieves
                log.warning("a task of the engine failed", task=task.get_name(), exc_info=error)
            outcome = "cancelled" if task.cancelled() else "failed" if error else "done"
            self._metrics.outcomes[outcome].inc()
            self._metrics.run.observe(time.time() - asked)
            self._metrics.timeline.add(name, "", "run", asked, f"{name}-{lane}")

        task.add_done_callback(ended)
        return task

    def _lane(self, name: str) -> int:
        if free := self._free.setdefault(name, []):
            return heapq.heappop(free)
        self._used[name] = self._used.get(name, 0) + 1
        return self._used[name]


class _Measured(asyncio.Semaphore):
    """Observes how long a contended `acquire` waited."""

    def __init__(self, waited: Histogram, name: str, value: int) -> None:
        super().__init__(value)
        self._waited = waited

    async def acquire(self) -> Literal[True]:
        if not self.locked():
            return await super().acquire()
        start = time.perf_counter()
        try:
            return await super().acquire()
        finally:
            self._waited.observe(time.perf_counter() - start)
