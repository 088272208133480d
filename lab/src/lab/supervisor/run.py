"""Runs a plan: all components at once, each waiting for what it needs, until told to stop."""

import asyncio
import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from lab import LabError
from lab.compose import read
from lab.supervisor import control, logs, plan, ports, probe, prometheus, redis
from lab.supervisor.board import Board, Report
from lab.supervisor.plan import Component
from lab.supervisor.process import Guard
from lab.supervisor.state import ComponentState, Home, LabState
from lab.supervisor.supervise import Context, Supervised, Timing

__all__ = ["read_plan", "supervise"]

_LOG_CHECK_SECONDS = 60.0


def read_plan(file: Path, environ: Mapping[str, str]) -> list[Component]:
    """Return what would run; raises LabError for a file that cannot be read or understood."""
    try:
        text = file.read_text()
    except OSError as error:
        raise LabError(f"{file}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise LabError(f"{file}: byte {error.start} is no UTF-8: save the file as UTF-8.") from None
    return plan.make(read(text, environ, str(file)), file.resolve().parent, environ)


def supervise(file: Path, home: Home, report: Report, timing: Timing | None = None) -> int:
    """Run the lab until SIGINT, SIGTERM or, unless nohup runs it, SIGHUP; return 0, or 1 when a component
    cannot be got ready.

    Raises Taken where a lab runs already, LabError where nothing could be started. In every case, no
    process is left behind.
    """
    environ = {key: value for key, value in os.environ.items() if key not in ("HOST", "PORT")}
    components = read_plan(file, environ)
    with home.lock():
        control.end_leftovers(home, report.say)
        taken = ports.taken(components)
        if taken:
            raise LabError("\n".join(taken))
        return asyncio.run(
            _Lab(file.resolve().parent, home, report, timing or Timing()).run(components, environ)
        )


class _Lab:
    def __init__(self, root: Path, home: Home, report: Report, timing: Timing) -> None:
        self._root = root
        self._home = home
        self._report = report
        self._timing = timing
        self._signals = 0
        self._told_to_stop = asyncio.Event()
        self._supervised: dict[str, Supervised] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, components: Sequence[Component], environ: dict[str, str]) -> int:
        state = _first_state(components)
        with self._home.refusals_told():
            for component in components:
                logs.begin(self._home.log(component.name))
            board = Board(state, self._home, self._report)
        self._listen()
        async with Guard.running() as guard:
            inherited = _environment(environ) | {control.MARK: state.run}
            context = Context(self._root, self._home, board, guard, inherited, self._timing)
            self._supervised = {c.name: Supervised(c, context, self._prepare) for c in components}
            try:
                return await self._until_the_end(board)
            finally:
                await self._stop(board)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._signalled)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else: nohup lab up
            loop.add_signal_handler(signal.SIGHUP, self._signalled)

    def _signalled(self) -> None:
        """The first signal ends everything in order, the second at once."""
        self._signals += 1
        self._told_to_stop.set()
        if self._signals > 1:
            for supervised in self._supervised.values():
                supervised.kill()

    async def _until_the_end(self, board: Board) -> int:
        self._tasks = [asyncio.create_task(self._run_when_needed(s)) for s in self._supervised.values()]
        others = [self._told_to_stop.wait(), self._announce(board), self._trim_logs()]
        stop, announce, trim = (asyncio.create_task(other) for other in others)
        try:
            waiting = {stop, trim, *self._tasks}
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:
                board.set("stopping")
                return 0
            for task in done:
                task.result()
            return 1
        except LabError as problem:
            board.set("failed", problem=str(problem))
            return 1
        finally:
            for task in (stop, announce, trim, *self._tasks):
                task.cancel()
            await asyncio.gather(stop, announce, trim, *self._tasks, return_exceptions=True)

    async def _run_when_needed(self, supervised: Supervised) -> None:
        for need in supervised.component.needs:
            await self._supervised[need].up.wait()
        await supervised.run()

    async def _prepare(self, component: Component) -> Component:
        with self._home.refusals_told():
            if component.name == "prometheus":
                everything = [s.component for s in self._supervised.values()]
                return await prometheus.prepare(component, everything, self._home)
            if component.name == "redis" and not component.external:
                return redis.prepare(component, self._home)
        return component

    async def _announce(self, board: Board) -> None:
        started = time.monotonic()
        for supervised in self._supervised.values():
            await supervised.up.wait()
        states = board.state.components.values()
        pages = await asyncio.gather(*(probe.page(c.address) for c in states if c.state == "ready"))
        seconds = round(time.monotonic() - started, 2)
        board.set("ready", seconds_to_ready=seconds, open=[page for page in pages if page])

    async def _trim_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_SECONDS)
            for name in self._supervised:
                with contextlib.suppress(OSError):  # a full disk shall not end the lab
                    logs.trim(self._home.log(name))

    async def _stop(self, board: Board) -> None:
        """End everything, each before what it needs."""
        gone = {name: asyncio.Event() for name in self._supervised}

        async def stop(name: str) -> None:
            for user in (s.component.name for s in self._supervised.values() if name in s.component.needs):
                await gone[user].wait()
            await self._supervised[name].stop()
            gone[name].set()

        await asyncio.gather(*(stop(name) for name in self._supervised))
        if board.state.status != "failed":
            board.set("stopped")


def _first_state(components: Sequence[Component]) -> LabState:
    me = psutil.Process()
    states = {c.name: ComponentState(c.name, address=c.address, grace=c.grace) for c in components}
    return LabState(pid=me.pid, created=me.create_time(), run=uuid.uuid4().hex, components=states)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what components inherit: this interpreter's programs come first, and output is not held back."""
    programs = os.path.dirname(sys.executable)
    path = os.pathsep.join(part for part in (programs, environ.get("PATH", "")) if part)
    return {**environ, "PATH": path, "PYTHONUNBUFFERED": "1"}
