"""Simulated ports: time that moves when told to, and a pool that runs tasks in a seeded order."""

import heapq
import itertools
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class SimulatedClock:
    """Virtual time in seconds. `sleep` moves it at once; callbacks run in `advance`, by its caller."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += max(0.0, seconds)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self._now + delay, next(self._order), callback))

    def advance(self, seconds: float) -> None:
        """Move time on and run what falls due, in order of its time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, callback = heapq.heappop(self._timers)
            self._now = max(self._now, due)
            callback()
        self._now = max(self._now, end)

    def advance_to_next(self) -> bool:
        """Move to the next callback and run it; False when there is none."""
        if self._timers:
            self.advance(max(0.0, self._timers[0][0] - self._now))
            return True
        return False


class SimulatedPool:
    """An executor factory. Tasks run one at a time in `run`, which picks among the ready ones by `seed`."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.executors: list[SimulatedExecutor] = []

    def __call__(self, name: str, workers: int) -> Executor:
        self.executors.append(SimulatedExecutor(workers))
        return self.executors[-1]

    def run(self, clock: SimulatedClock | None = None, steps: int = 100_000) -> None:
        """Run until nothing is ready and, with a `clock`, no callback is due. At most `steps` tasks."""
        for _ in range(steps):
            ready = [executor for executor in self.executors if executor.tasks]
            if ready:
                self._random.choice(ready).run_one(self._random)
            elif clock is None or not clock.advance_to_next():
                return
        raise RuntimeError(f"still busy after {steps} tasks: an endless retry?")


class SimulatedExecutor(Executor):
    """Holds tasks until they are run; like the real one, it starts them in the order they came."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.tasks: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self.tasks.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run_one(self, chooser: random.Random) -> None:
        """Run one of the tasks that the pool's workers could have begun by now."""
        future, task = self.tasks.pop(chooser.randrange(min(self.workers, len(self.tasks))))
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(task())
            except Exception as error:
                future.set_exception(error)
