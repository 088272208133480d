"""The names of `threading` as the explored program has them; to any other thread they are the real ones."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import interleave_test
from interleave_test import _scheduler

from lab.grader.strategy import Strategy

__all__ = ["PRIMITIVES", "Lock", "Ours", "Timer", "current_thread", "ours"]

T = TypeVar("T")

_here = threading.local()
_system_thread: Any = threading.Thread
_system_current_thread = threading.current_thread


def ours() -> bool:
    """Whether the thread that asks is of the program that is being explored."""
    active: Any = _scheduler._active
    return active is not None and active.me() is not None


class Ours:
    """A stand-in for threads of the explored program. Any other that asks for one gets the `real` thing.

    A library may have a thread of its own here, say one that keeps a connection open.
    """

    _real: Callable[..., Any]

    def __init_subclass__(cls, real: Callable[..., Any] | None = None) -> None:
        if real:
            cls._real = real

    def __new__(cls, *arguments: Any, **options: Any) -> Any:
        return super().__new__(cls) if ours() else cls._real(*arguments, **options)


class Thread(Ours, interleave_test.Thread, real=threading.Thread):
    """`threading.Thread`, which also knows who is running: `logging` asks for that."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Also that of a real one: in `threading`, subclasses call their base by the name `Thread`."""
        mine = isinstance(self, Thread)
        if mine:
            super().__init__(*arguments, **options)
        else:
            _system_thread.__init__(self, *arguments, **options)

    def start(self) -> None:
        work = self.run

        def run() -> None:
            _here.thread = self
            work()

        self.run = run  # type: ignore[method-assign]  # the library calls `run`
        super().start()


class Timer(Thread, real=threading.Timer):
    """`threading.Timer`: the real one derives from the real thread."""

    def __init__(
        self,
        interval: float,
        function: Callable[..., object],
        args: Iterable[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(target=function, args=tuple(args), kwargs=kwargs, name="timer")
        self.interval, self.finished = interval, threading.Event()

    def cancel(self) -> None:
        self.finished.set()

    def run(self) -> None:
        if not self.finished.wait(self.interval):
            super().run()
        self.finished.set()


class Lock(Ours, interleave_test.Lock, real=threading.Lock):
    """`threading.Lock`, which tells the strategy who holds one."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken: bool = super().acquire(blocking, timeout)
        if taken:
            _strategy().acquired(_me())
        return taken

    def release(self) -> None:
        _strategy().released(_me())
        super().release()

    def _cond_release(self, scheduler: Any) -> None:
        _strategy().released(_me())
        super()._cond_release(scheduler)  # type: ignore[no-untyped-call]  # it has no types


class RLock(Ours, interleave_test.RLock, real=threading.RLock):
    """`threading.RLock`, which tells the strategy who holds one."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken: bool = super().acquire(blocking, timeout)
        if taken:
            _strategy().acquired(_me())
        return taken

    def release(self) -> None:
        _strategy().released(_me())
        super().release()

    def _cond_release(self, scheduler: Any) -> int:
        times: int = super()._cond_release(scheduler)  # type: ignore[no-untyped-call]  # it has no types
        _strategy().released(_me(), times)
        return times

    def _cond_reacquire(self, times: int) -> None:
        super()._cond_reacquire(times)
        _strategy().acquired(_me(), times - 1)


def _strategy() -> Strategy:
    active: Any = _scheduler._active
    return cast(Strategy, active._strategy)


def _me() -> int:
    active: Any = _scheduler._active
    return int(active.me().tid)


class Condition(Ours, interleave_test.Condition, real=threading.Condition):
    """`threading.Condition`, whose `wait_for` keeps its deadline however often it is notified."""

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (result := predicate()):
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return predicate()
            self.wait(left)
        return result


class Event(Ours, interleave_test.Event, real=threading.Event):
    """`threading.Event`."""


class Semaphore(Ours, interleave_test.Semaphore, real=threading.Semaphore):
    """`threading.Semaphore`."""


class BoundedSemaphore(Ours, interleave_test.BoundedSemaphore, real=threading.BoundedSemaphore):
    """`threading.BoundedSemaphore`."""


def current_thread() -> object:
    """The modelled thread that asks, or the real one where nothing is being explored."""
    return getattr(_here, "thread", None) or _system_current_thread()


PRIMITIVES: dict[str, Any] = {
    one.__name__: one for one in (Lock, RLock, Condition, Event, Semaphore, BoundedSemaphore, Thread)
}
"""Of those that `interleave_test` models, by name."""
