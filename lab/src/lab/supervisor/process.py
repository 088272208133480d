"""One process and its group: started into a log file, ended without a remainder."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from lab import LabError

__all__ = ["Child", "Guard", "spawn"]

_GUARD = Path(__file__).with_name("guard.py")


class Guard:
    """The other end of `guard.py`'s pipe. Should the guard be killed, nothing else fails."""

    def __init__(self, pipe: asyncio.StreamWriter) -> None:
        self._pipe = pipe

    def add(self, pid: int, grace: float) -> None:
        self._pipe.write(f"+ {pid} {grace}\n".encode())

    def drop(self, pid: int) -> None:
        self._pipe.write(f"- {pid}\n".encode())

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncIterator["Guard"]:
        """Run a guard for as long as the block; it ends the groups that the block left listed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_GUARD)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            yield cls(process.stdin)
        finally:
            process.stdin.close()
            await process.wait()


class Child:
    """A started process, the leader of a group of its own.

    When the leader ends, however that comes, what is left of its group is killed, and only then does `wait`
    return.
    """

    def __init__(self, process: asyncio.subprocess.Process, guard: Guard) -> None:
        self.pid = process.pid
        self.created = _created(process.pid)
        self._process = process
        self._guard = guard
        self._ended = asyncio.create_task(self._end())

    async def wait(self) -> int:
        """Return the exit code (negative: the signal) once nothing of the group is left. Safe to cancel."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace: float) -> None:
        """Ask the leader to end, as Compose does, and kill the group after `grace` seconds."""
        self._signal(os.kill, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.wait()
        except TimeoutError:
            self.kill()
            await self.wait()

    def kill(self) -> None:
        """End the whole group at once."""
        self._signal(os.killpg, signal.SIGKILL)

    def _signal(self, send: Callable[[int, int], None], number: int) -> None:
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                send(self.pid, number)

    async def _end(self) -> int:
        code = await self._process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(self.pid, signal.SIGKILL)
        self._guard.drop(self.pid)
        return code


async def spawn(
    command: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    guard: Guard,
    grace: float,
) -> Child:
    """Start a process in a session of its own, its output appended to `log`.

    Raises LabError where there is no such command, or the log cannot be written.
    """
    with _opened(log) as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise LabError(f"cannot start {command[0]!r}: {error.strerror or error}.") from None
    guard.add(process.pid, grace)
    return Child(process, guard)


def _opened(log: Path) -> BinaryIO:
    """Open a log for appending; somebody may have removed it, folder and all, while the lab runs."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError as error:
        raise LabError(f"cannot write {log}: {error.strerror}.") from None


def _created(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
