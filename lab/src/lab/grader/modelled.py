"""Stand-ins for what the scheduler of `interleave_test` does not model, and the ports built on what it does.

All of this works only in a scenario that is being explored. Time is virtual: it moves to the next deadline when
every thread waits. Nothing real is slept on.
"""

import concurrent.futures.thread
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast
from unittest.mock import patch

from interleave_test import _primitives, _scheduler

from lab.grader.primitives import PRIMITIVES, Lock, Ours, Timer, current_thread, ours
from lab_kit.ports import Lock as LockPort
from lab_kit.ports import plain_lock

__all__ = ["Clock", "Pool", "fresh", "named_lock", "patched", "pool", "pools"]

P = ParamSpec("P")
T = TypeVar("T")

_system_uuid4 = uuid.uuid4
pools: "list[Pool]" = []
"""Every pool made in the current schedule, so that what was left open can be named and closed."""


class Pool(Ours, Executor, real=ThreadPoolExecutor):
    """`ThreadPoolExecutor` on modelled threads: at most `max_workers`, tasks begun in the order they came."""

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "pool",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        self.name, self.size = thread_name_prefix or "pool", 4 if max_workers is None else max_workers
        if self.size <= 0:
            raise ValueError("max_workers must be greater than 0")
        self.closed = False
        self._prepare = (lambda: initializer(*initargs)) if initializer else None
        self._tasks: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        pools.append(self)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._changed:
            if self.closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._tasks.append((future, lambda: fn(*args, **kwargs)))
            if self._idle < len(self._tasks) and len(self._threads) < self.size:
                self._hire()
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._changed:
            self.closed = True
            while cancel_futures and self._tasks:
                self._tasks.pop()[0].cancel()
            self._changed.notify_all()
        for thread in self._threads if wait else ():
            thread.join()

    def _hire(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self.name}-{len(self._threads)}")
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        if self._prepare:
            self._prepare()
        while task := self._next():
            _perform(*task)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._tasks or self.closed)
            self._idle -= 1
            return self._tasks.popleft() if self._tasks else None


def _perform(future: Future[Any], task: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = task()
    except _Abandoned:
        raise
    except BaseException as error:  # what the real pool does, SystemExit included
        future.set_exception(error)
    else:
        future.set_result(result)


_Abandoned = cast(type[BaseException], _scheduler._Abort)


class Clock:
    """The clock port, in virtual seconds."""

    def monotonic(self) -> float:
        return float(_primitives.monotonic())

    def time(self) -> float:
        return float(_primitives.time())

    def sleep(self, seconds: float) -> None:
        threading.Event().wait(max(0.0, seconds))

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        def run() -> None:
            self.sleep(delay)
            callback()

        threading.Thread(target=run, name="clock").start()


class _NamedLock(Lock, real=plain_lock):
    def __init__(self, name: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.name = name

    def _describe(self) -> str:
        return super()._describe().replace("Lock", f"lock {self.name!r}", 1)


def named_lock(name: str) -> LockPort:
    """The lock port: a lock that a report of a deadlock calls by its name."""
    return cast(LockPort, _NamedLock(name))


def uuid4() -> uuid.UUID:
    """`uuid.uuid4`, the same for the same seed."""
    return uuid.UUID(int=random.getrandbits(128), version=4) if ours() else _system_uuid4()


@contextmanager
def patched() -> Iterator[None]:
    """Give the names an engine may use their modelled meaning, beyond those that `explore` replaces itself."""
    with (
        patch.multiple(_primitives, **PRIMITIVES),
        patch.multiple(threading, Timer=Timer, current_thread=current_thread),
        patch.object(concurrent.futures, "ThreadPoolExecutor", Pool),
        patch.object(concurrent.futures.thread, "ThreadPoolExecutor", Pool),
        patch.multiple(
            time,
            perf_counter=_primitives.monotonic,
            monotonic_ns=lambda: int(_primitives.monotonic() * 1e9),
            time_ns=lambda: int(_primitives.time() * 1e9),
        ),
        patch.object(uuid, "uuid4", uuid4),
    ):
        yield


def pool(name: str, workers: int) -> Pool:
    """The executor port."""
    return Pool(workers, name)


def fresh(seed: int) -> None:
    """Begin a schedule: same seed, same chance."""
    random.seed(seed)
    pools.clear()
