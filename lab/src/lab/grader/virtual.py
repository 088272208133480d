"""A standard asyncio loop in virtual time: who sleeps an hour waits for nothing.

A standard loop, because what observes cancellations accepts no other: only its selector is ours.
"""

import asyncio
import selectors
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

__all__ = ["Spinning", "Stuck", "virtual_loop"]

LONGEST_WAIT, TURNS = 5.0, 200_000
SPINNING = f"the loop turned {TURNS:,} times in no time: a task asks again and again, and never waits"


class Stuck(RuntimeError):
    """Every task waits for something that will not happen: there is no timer, and nothing came from outside."""


class Spinning(AssertionError):
    """Time stands still: some task never waits, it asks again and again."""


class VirtualTime(selectors.DefaultSelector):
    """Moves time on instead of waiting, but while a thread is at work: that is waited for, in real seconds.

    `slowest` is the longest time that the loop computed between two looks at its tasks, in seconds of processor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.slowest = 0.0
        self.at_work = self._turns = 0
        self._since = time.thread_time()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.slowest = max(self.slowest, time.thread_time() - self._since)
        ready = self._ready(timeout)
        self._since = time.thread_time()
        return ready

    def _ready(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            self._turns += 1
            if self._turns > TURNS:
                self._turns = 0  # to cancel what is left takes turns, too
                raise Spinning(SPINNING)
            return ready
        self._turns = 0
        if timeout is None or self.at_work:
            return self._from_outside()
        self.now += timeout
        return []

    def _from_outside(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(LONGEST_WAIT)
        if not ready:
            raise Stuck("every task waits, and for nothing that could happen")
        return ready


def virtual_loop() -> asyncio.AbstractEventLoop:
    """A new loop whose `time()` begins at 0 and moves to the next timer when all tasks wait."""
    selector, executor = VirtualTime(), ThreadPoolExecutor(thread_name_prefix="asyncio")
    loop = asyncio.SelectorEventLoop(selector)
    loop.set_default_executor(executor)
    run_in_executor = loop.run_in_executor

    def count(change: int) -> None:
        selector.at_work += change

    def counted(pool: Executor | None, function: Any, *arguments: Any) -> Any:
        count(1)
        future = run_in_executor(pool, function, *arguments)
        future.add_done_callback(lambda _: count(-1))
        return future

    async def end(_seconds: float | None = None) -> None:
        executor.shutdown()

    changed = {"time": lambda: selector.now, "run_in_executor": counted, "shutdown_default_executor": end}
    vars(loop).update(changed)  # a subclass would not be the standard loop
    return loop
