"""Which engine runs: loading one by name, and switching without losing an accepted job."""

import asyncio
import importlib
import importlib.resources
import importlib.util
import inspect
import tomllib
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast

import structlog

PATIENCE_SECONDS, START_SECONDS = 5.0, 15.0
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
    """Owns the running engine. `use` and `switch` wait for each other. `coming` is the one being switched to.

    `build(name)` makes a new engine; `unfinished` reads from a durable place the jobs that have not ended.
    """

    def __init__(
        self, build: Callable[[str], E], name: str = "reference",
        unfinished: Callable[[], Awaitable[Sequence[Any]]] = _no_jobs,
    ) -> None:  # fmt: skip
        self._construct, self.name, self._unfinished = build, name, unfinished
        self._engine: E | None = None
        self._users, self.coming = set[object](), name
        self._switching = self.draining = False
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
        """The running engine, which is not switched away while the block runs, unless that takes too long."""
        user = object()
        async with self._changed:
            await self._changed.wait_for(lambda: not self._switching)
            self._users.add(user)
        try:
            yield self.engine
        finally:
            async with self._changed:
                self._users.discard(user)
                self._changed.notify_all()

    async def switch(self, name: str, deadline: float) -> int:
        """Drain the old engine and hand its unfinished jobs to a new one; returns how many those were.

        Raises `EngineUnavailable` when the new one cannot start. Then the old one is at work again, or, where
        the new one is another version of it, the reference.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: not self._switching)
            if self.draining:
                raise EngineUnavailable("the service is stopping: no other engine starts now")
            self._switching, self.coming = True, name
        try:
            return await self._replace(name, self._build(name), deadline)
        finally:
            async with self._changed:
                self._switching, self.coming = False, self.name
                self._changed.notify_all()

    async def _replace(self, name: str, successor: E, deadline: float) -> int:
        with suppress(TimeoutError):  # an engine that hangs in a call is to be left, too
            async with asyncio.timeout(deadline + PATIENCE_SECONDS), self._changed:
                await self._changed.wait_for(lambda: not self._users)
        if (unfinished := await self._drain(self.engine, deadline)) is None:
            unfinished = await self._unfinished()
        try:
            await _call(successor, "start", unfinished, START_SECONDS)
        except Exception as error:
            await self._go_back(name, successor, unfinished)
            raise EngineUnavailable(_shown(error)) from error
        self._engine, self.name = successor, name
        return len(unfinished)

    async def _go_back(self, failed: str, successor: E, unfinished: Sequence[Any]) -> None:
        """End what the failed one has begun, so that nobody else works at the same jobs."""
        await self._drain(successor, 0.0)
        self.name = "reference" if failed == self.name else self.name
        self._engine = self._build(self.name)
        await _call(self._engine, "start", unfinished, START_SECONDS)

    async def stop(self, deadline: float) -> None:
        """Stop the last engine, once; what is unfinished is for another life."""
        if self.draining:
            return
        self.draining = True
        async with self._changed:
            await self._changed.wait_for(lambda: not self._switching)
        await self._drain(self.engine, deadline)

    def _build(self, name: str) -> E:
        try:
            return self._construct(name)
        except EngineUnavailable:
            raise
        except Exception as error:
            raise EngineUnavailable(_shown(error)) from error

    async def _drain(self, engine: E, deadline: float) -> Sequence[Any] | None:
        """The jobs of an engine that goes; None if it cannot say which."""
        try:
            jobs = await _call(engine, "stop", deadline, deadline + PATIENCE_SECONDS)
            return list(cast(Sequence[Any], jobs))
        except Exception:
            log.exception("the engine did not stop properly", engine=type(engine).__module__)
            return None


async def _call(engine: object, method: str, argument: object, seconds: float | None = None) -> object:
    """What the method returns. Whatever the engine raises is an Exception; a cancellation is the caller's.

    Each has a thread of its own, if it is no coroutine: one that hangs takes no worker from others.
    """
    bound, apart = getattr(engine, method), asyncio.get_running_loop().run_in_executor
    called = bound if inspect.iscoroutinefunction(bound) else partial(apart, ThreadPoolExecutor(1), bound)
    try:
        async with asyncio.timeout(seconds):
            return await called(argument)
    except (asyncio.CancelledError, SystemExit, TimeoutError) as error:
        if (me := asyncio.current_task()) and me.cancelling():
            raise
        ended = RuntimeError(f"`{method}` of the engine ended with {error!r}; it has {seconds} s")
        raise ended.with_traceback(error.__traceback__) from None
