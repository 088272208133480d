"""Keeps one component running: start, wait until ready, watch, start again."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lab import LabError
from lab.supervisor import logs, probe
from lab.supervisor.board import Board
from lab.supervisor.plan import Component
from lab.supervisor.process import Child, Guard, spawn
from lab.supervisor.state import Home

__all__ = ["Absent", "Context", "Prepare", "Supervised", "Timing"]

Prepare = Callable[[Component], Awaitable[Component]]


class Absent(LabError):
    """An optional component cannot be had here; the lab runs without it."""


@dataclass(frozen=True)
class Timing:
    """All in seconds, but for `attempts`: how often a component may exit before it was ever ready."""

    ready: float = 60.0
    settle: float = 1.0
    poll: float = 0.05
    first_pause: float = 0.5
    longest_pause: float = 30.0
    healthy: float = 60.0
    attempts: int = 3

    def pause(self, failures: int) -> float:
        """How long to wait before starting again after so many failures in a row."""
        return float(min(self.longest_pause, self.first_pause * 2 ** min(failures - 1, 16)))


@dataclass(frozen=True)
class Context:
    """What all components share. `environ` is the supervisor's own environment, which they inherit."""

    root: Path
    home: Home
    board: Board
    guard: Guard
    environ: dict[str, str]
    timing: Timing


class Supervised:
    """One component under supervision. `run` ends only by failing or being cancelled; then comes `stop`."""

    def __init__(self, component: Component, context: Context, prepare: Prepare) -> None:
        self.component = component
        self.up = asyncio.Event()
        self._context = context
        self._prepare = prepare
        self._child: Child | None = None
        self._failures = 0
        self._log = context.home.log(component.name)
        self._log_start = 0

    async def run(self) -> None:
        """Keep it running. Raises LabError when it cannot be started, or never gets ready."""
        try:
            component = await self._prepare(self.component)
        except Absent as reason:
            self._tell(state="absent", detail=str(reason), address="")
            self.up.set()
            await asyncio.Event().wait()
        if component.external:
            await self._watch_external(component)
        while True:
            await self._run_once(component)
            await asyncio.sleep(self._context.timing.pause(self._failures))

    async def stop(self) -> None:
        """End it within its grace. To be called once `run` has ended or was cancelled."""
        if self._child:
            await self._child.stop(self.component.grace)
        if self._context.board.state.components[self.component.name].state not in ("failed", "absent"):
            self._tell(state="stopped", pid=None, created=None)

    def kill(self) -> None:
        """End it at once."""
        if self._child:
            self._child.kill()

    async def _run_once(self, component: Component) -> None:
        started = time.monotonic()
        try:
            self._child = child = await self._spawn(component)
        except LabError as problem:
            if not self.up.is_set():
                raise
            self._failures += 1
            return self._tell_of_restart(str(problem).rstrip("."))
        ready = await self._until_ready(component, child, started)
        code = await child.wait()
        healthy = ready and time.monotonic() - started >= self._context.timing.healthy
        self._failures = 1 if healthy else self._failures + 1
        last = logs.last_line(self._log, self._log_start)
        ended = f"{component.name} ended ({_describe(code)}): {last or 'its log says nothing'}"
        if not self.up.is_set() and self._failures >= self._context.timing.attempts:
            raise self._failure(f"{component.name} ended {self._failures} times before it was ever ready")
        self._tell_of_restart(ended)

    def _tell_of_restart(self, why: str) -> None:
        self._tell(state="restarting", pid=None, created=None, detail=why)
        pause = self._context.timing.pause(self._failures)
        self._context.board.say(f"{why}. Starting it again in {pause:g} s.")

    async def _spawn(self, component: Component) -> Child:
        self._log_start = logs.size(self._log)
        environment = self._context.environ | dict(component.environment)
        try:
            child = await spawn(
                component.command,
                environment,
                self._context.root,
                self._log,
                self._context.guard,
                component.grace,
            )
        except LabError as error:
            raise LabError(f"{component.name}: {error}") from None
        restarts = self._context.board.state.components[component.name].restarts
        if self._failures:
            self._tell(pid=child.pid, created=child.created, restarts=restarts + 1)
        else:
            self._tell(state="starting", pid=child.pid, created=child.created)
        return child

    async def _until_ready(self, component: Component, child: Child, started: float) -> bool:
        """Return whether it got ready before it ended; kill it when it takes too long."""
        ended = asyncio.create_task(child.wait())
        asked = asyncio.create_task(self._ask(component))
        try:
            timeout = self._context.timing.ready
            await asyncio.wait({ended, asked}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return False
            if asked.done():
                self._mark_ready(component, time.monotonic() - started)
                return True
            if not self.up.is_set():
                raise self._failure(f"{component.name} did not get ready in {timeout:g} s")
            child.kill()
            return False
        finally:
            ended.cancel()
            asked.cancel()

    async def _ask(self, component: Component) -> None:
        if component.port is None and not component.external:
            await asyncio.sleep(self._context.timing.settle)  # a worker has no other sign than to live on
        pause = self._context.timing.poll
        while not await probe.ready(component):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _mark_ready(self, component: Component, seconds: float) -> None:
        state = "running" if component.port is None and not component.external else "ready"
        self._tell(state=state, seconds_to_ready=round(seconds, 2), detail="")
        if self._failures:
            self._context.board.say(f"{component.name} is {state} again.")
        self.up.set()

    async def _watch_external(self, component: Component) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._context.timing.ready):
                await self._ask(component)
        except TimeoutError:
            raise LabError(
                f"{component.name} at {component.address} does not answer; see REDIS_URL."
            ) from None
        self._mark_ready(component, time.monotonic() - started)
        await asyncio.Event().wait()

    def _failure(self, what: str) -> LabError:
        self._tell(state="failed", detail=what)
        lines = logs.tail(self._log, 10, self._log_start) or ["(nothing)"]
        shown = os.path.relpath(self._log)
        return LabError("\n    ".join([f"{what}. The end of {shown}:", *lines]))

    def _tell(self, **changes: object) -> None:
        self._context.board.update(self.component.name, **changes)


def _describe(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
