"""A hub on a virtual loop, and clients that are numbers: what a claim is about, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

from chat.contract import Batch, Gone, Hub, Limits, Ports
from lab.grader.virtual import virtual_loop

__all__ = ["Listener", "hub_of", "in_virtual_time"]


class Listener:
    """A connection whose client reads `rate` bytes a second, or as much as comes; `at`: when each frame was
    read.

    `full` is set when it has read the frames that are `wanted`. Its network takes 64 KiB beyond that before
    it is blocked, as a transport does."""

    HIGH, LOW = 64 * 1024, 16 * 1024

    def __init__(self, user: str, rate: float = float("inf")) -> None:
        self.user, self.blocked, self.closed_with = user, False, 0
        self.at: list[float] = []
        self.closed, self._free, self.wanted, self.full = asyncio.Event(), asyncio.Event(), 0, asyncio.Event()
        self.answers, self.writes, self.frames = True, 0, 0
        self._rate, self._waiting, self._free_at = rate, 0, 0.0
        self._hub: Hub | None = None

    def sit(self, hub: Hub, room: str) -> None:
        self._hub = hub
        hub.connect(self)
        hub.join(self, room)

    def write(self, batch: Batch) -> None:
        if self.closed_with:
            raise Gone(self.user)
        self.writes += 1
        self.frames += batch.frames
        loop = asyncio.get_running_loop()
        if self._rate == float("inf"):
            return self._note(batch.frames)
        self._waiting += len(batch.data)
        self.blocked = self._waiting > self.HIGH
        self._free_at = max(self._free_at, loop.time()) + len(batch.data) / self._rate
        loop.call_at(self._free_at, self._read, len(batch.data), batch.frames)
        return None

    def ping(self) -> None:
        if self.answers and self._hub:
            asyncio.get_running_loop().call_soon(self._hub.heard, self)

    def close(self, code: int, reason: str) -> None:
        self.closed_with = code
        self.closed.set()
        self._free.set()

    async def drain(self) -> None:
        while self.blocked and not self.closed_with:
            self._free.clear()
            await self._free.wait()

    def _read(self, size: int, frames: int) -> None:
        self._waiting -= size
        self._note(frames)
        if self.blocked and self._waiting <= self.LOW:
            self.blocked = False
            self._free.set()
            if self._hub:
                self._hub.writable(self)

    def _note(self, frames: int) -> None:
        self.at += [asyncio.get_running_loop().time()] * frames
        if len(self.at) >= self.wanted:
            self.full.set()


async def hub_of(engine: Callable[[Ports, Limits], Hub], limits: Limits) -> Hub:
    """A hub that has begun."""
    hub = engine(Ports(), limits)
    await hub.start([])
    return hub


def in_virtual_time[T](work: Callable[[], Awaitable[T]]) -> T:
    """What comes of `work` on a loop whose time costs none."""

    async def run() -> T:
        return await work()

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        return runner.run(run())
