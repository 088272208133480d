"""Where what computes runs, so that the loop goes on: few threads, and whoever finds none free waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["Offload"]

THREADS, WAITING = 2, 32


class Offload:
    """At most `WAITING` calls are in its hands; the others wait without holding a copy of anything."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="parse")
        self._room = asyncio.Semaphore(WAITING)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What `function` returns or raises, from a thread. Cancelled, its result is dropped."""
        async with self._room:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
