"""Which engine runs: loading one by name, and switching without losing an accepted job."""

import asyncio
import importlib
import importlib.resources
import importlib.util
import inspect
import tomllib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, cast

import structlog

PATIENCE_SECONDS = 5.0
MINE = "mine_"  # what the names of learners' modules begin with
log = structlog.get_logger(__name__)


class EngineUnavailable(RuntimeError):
    """The engine asked for cannot be loaded or started; the text is the Python error. The old one goes on."""


class Engine[Job](Protocol):
    """The life the shell gives every engine; either method may be a coroutine function."""

    def start(self, jobs: Sequence[Job]) -> Awaitable[None] | None:
        """Begin, with the jobs that an earlier engine or an earlier life left unfinished."""

    def stop(self, deadline: float) -> Awaitable[Sequence[Job]] | Sequence[Job]:
        """Accept nothing more, work for at most `deadline` seconds, return the accepted, unfinished jobs."""


def engine_class(module: str, name: str, workspace: Path) -> type:
    """The engine class of `module` called `name`: reference, naive or mine (a file in `workspace`)."""
    try:
        text = importlib.resources.files(module).joinpath("challenge.toml").read_text()
        return cast(type, getattr(_load(module, name, workspace), tomllib.loads(text)["engine"]))
    except EngineUnavailable:
        raise
    except BaseException as error:  # a learner's file may raise anything while it is imported
        raise EngineUnavailable(_shown(error)) from error


def _shown(error: BaseException) -> str:
    """The error as Python tells it, from the first line of the learner's file on."""
    trace = error.__traceback__
    while trace and not trace.tb_frame.f_globals.get("__name__", "").startswith(MINE):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))


def _load(module: str, name: str, workspace: Path) -> object:
    if name != "mine":
        homes = {"reference": "engine", "naive": "naive"}
        if name not in homes:
            raise EngineUnavailable(f"no engine {name!r}: there are {', '.join(homes)} and mine")
        return importlib.import_module(f"{module}.{homes[name]}")
    path = workspace / f"{module}.py"
    spec = importlib.util.spec_from_file_location(f"{MINE}{module}", path)
    if spec is None or not path.exists():
        raise EngineUnavailable(f"{path} does not exist: write your engine there first")
    mine = importlib.util.module_from_spec(spec)
    # Its text, never kept bytecode: what is saved twice within a second may be as long as before.
    exec(compile(path.read_bytes(), path, "exec"), vars(mine))
    return mine


async def _no_jobs() -> Sequence[Any]:
    return ()


class EngineHost[E]:
    """Owns the running engine. `use` and `switch` wait for each other.

    `build(name)` makes a new engine; `unfinished` reads from a durable place the jobs that have not ended.
    """

    def __init__(
        self,
        build: Callable[[str], E],
        name: str = "reference",
        unfinished: Callable[[], Awaitable[Sequence[Any]]] = _no_jobs,
    ) -> None:
        self._construct, self.name, self._unfinished = build, name, unfinished
        self._engine: E | None = None
        self._users = 0
        self.draining = False
        self._changed = asyncio.Condition()

    @property
    def engine(self) -> E:
        """The engine of this moment, for reading; to change its state, `use` it."""
        assert self._engine is not None, "the host is not started"
        return self._engine

    async def start(self) -> None:
        """Build the first engine, and start it with what an earlier life left unfinished."""
        self._engine = self._build(self.name)
        await _call(self._engine, "start", await self._unfinished())

    @asynccontextmanager
    async def use(self) -> AsyncIterator[E]:
        """The running engine, which is not switched away while the block runs."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._users >= 0)
            self._users += 1
        try:
            yield self.engine
        finally:
            async with self._changed:
                self._users -= 1
                self._changed.notify_all()

    async def switch(self, name: str, deadline: float) -> int:
        """Drain the old engine and hand its unfinished jobs to a new one; returns how many those were.

        Raises `EngineUnavailable`, with the old engine at work again, when the new one cannot start.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._users == 0)
            if self.draining:
                raise EngineUnavailable("the service is stopping: no other engine starts now")
            successor = self._build(name)
            self._users = -1
        try:
            return await self._replace(name, successor, deadline)
        finally:
            async with self._changed:
                self._users = 0
                self._changed.notify_all()

    async def _replace(self, name: str, successor: E, deadline: float) -> int:
        unfinished = await self._take_back(deadline)
        try:
            await _call(successor, "start", unfinished)
        except Exception as error:
            self._engine = self._build(self.name)
            await _call(self._engine, "start", unfinished)
            raise EngineUnavailable(_shown(error)) from error
        self._engine, self.name = successor, name
        return len(unfinished)

    async def _take_back(self, deadline: float) -> Sequence[Any]:
        """The jobs of the engine that goes; if it cannot say which, what was accepted durably."""
        try:
            return list(await self._drain(deadline))
        except Exception:
            log.exception("the engine did not stop properly", engine=self.name)
            return await self._unfinished()

    async def stop(self, deadline: float) -> None:
        """Stop the last engine, once; what is unfinished is for another life."""
        if self.draining:
            return
        self.draining = True
        async with self._changed:
            await self._changed.wait_for(lambda: self._users >= 0)
        try:
            await self._drain(deadline)
        except Exception:
            log.exception("the engine did not stop properly", engine=self.name)

    def _build(self, name: str) -> E:
        try:
            return self._construct(name)
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(_shown(error)) from error

    async def _drain(self, deadline: float) -> Sequence[Any]:
        async with asyncio.timeout(deadline + PATIENCE_SECONDS):
            return cast(Sequence[Any], await _call(self.engine, "stop", deadline))


async def _call(engine: object, method: str, argument: object) -> object:
    bound = getattr(engine, method)
    if inspect.iscoroutinefunction(bound):
        return await bound(argument)
    return await asyncio.to_thread(bound, argument)
