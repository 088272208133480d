"""Boards in shared memory: a worker writes its part into a row, and nothing is pickled or sent.

A segment outlives whoever is killed together with Python's resource tracker. So its maker holds a lock on it,
which ends with the process however that ends, and whoever starts sweeps away those that nobody holds.
"""

import fcntl
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from primes.contract import Job, Part, Tile, Unavailable
from primes.core.record import READY, SIZE, pack, unpack

__all__ = ["MemoryBoard", "Rows", "memory_board", "sweep"]

FOLDER, PREFIX = Path("/dev/shm"), "primes-"


class MemoryBoard:
    """The engine's side: it made the segment, and unlinks it.

    Python's resource tracker knows of it, so that it also goes when this process alone is killed.
    """

    def __init__(self, tiles: int) -> None:
        self._memory, self._lock = _created((tiles + 1) * SIZE)
        self.name = self._memory.name
        self._open = True

    def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
        if not self._open:
            raise Unavailable(f"the board {self.name} is closed")
        found = ((tile, self._row(tile.index * SIZE)) for tile in tiles)
        return {tile: part for tile, part in found if part}

    def _row(self, start: int) -> Part | None:
        return unpack(bytes(view(self._memory)[start : start + SIZE]))

    def close(self) -> None:
        """Again is harmless. A worker that still has the segment open writes where nobody looks."""
        if self._open:
            self._open = False
            with suppress(FileNotFoundError):  # somebody cleaned up: systemd does, when its user logs out
                self._memory.unlink()  # first: a name without anybody who maps it would look left behind
            self._memory.close()
            if self._lock is not None:
                os.close(self._lock)

    discard = close


def _created(size: int) -> tuple[SharedMemory, int | None]:
    """A segment, and the descriptor with its lock; where the system has no such files, one that is never swept."""
    name = f"{PREFIX}{secrets.token_hex(8)}"
    try:
        lock = _published(name, size)
    except (AttributeError, OSError):
        return SharedMemory(create=True, size=size), None
    return SharedMemory(name), lock


def _published(name: str, size: int) -> int:
    """It gets its name last, so nobody ever sees it without its lock."""
    lock = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.truncate(lock, size)
        os.link(f"/proc/self/fd/{lock}", FOLDER / name, src_dir_fd=lock)  # linkat, for it follows the link
    except OSError:
        os.close(lock)
        raise
    return lock


def sweep() -> list[str]:
    """Remove the segments whose makers have ended, whoever they were; their names."""
    return [path.name for path in FOLDER.glob(f"{PREFIX}*") if _abandoned(path)]


def _abandoned(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as segment:  # it has a maker, another user's, or is gone
        fcntl.flock(segment, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        return True
    return False


def memory_board(job: Job, tiles: int) -> MemoryBoard:
    """The port `board`: always a new one, since the last went with its engine. One row more, for an n-th prime."""
    try:
        return MemoryBoard(tiles)
    except OSError as error:
        raise Unavailable(f"no shared memory for the {tiles} tiles of {job.id}: {error}") from error


class Rows:
    """A worker's side: the segment of the job it works at now."""

    def __init__(self) -> None:
        self._memory: SharedMemory | None = None
        self._name = ""

    def open(self, name: str) -> bool:
        """False when the segment is gone: nobody wants the part any more."""
        if self._name != name:
            self.close()
            with suppress(FileNotFoundError):
                self._memory, self._name = _attached(name), name
        return self._memory is not None

    def known(self, tile: Tile) -> bool:
        """Whether its part is on the board already."""
        assert self._memory is not None
        return bytes(view(self._memory)[_ready(tile)]) == READY

    def write(self, tile: Tile, part: Part) -> None:
        """Once it is ready a row never changes: whoever comes later has computed the same."""
        assert self._memory is not None
        if not self.known(tile):
            start, rows = tile.index * SIZE, view(self._memory)
            rows[start + len(READY) : start + SIZE] = pack(part)[len(READY) :]
            rows[_ready(tile)] = READY

    def close(self) -> None:
        if self._memory is not None:
            self._memory.close()
        self._memory, self._name = None, ""


def _ready(tile: Tile) -> slice:
    """Where its row says that it is one."""
    return slice(tile.index * SIZE, tile.index * SIZE + len(READY))


def view(memory: SharedMemory) -> memoryview:
    """Its bytes. Requires that it is open."""
    assert memory.buf is not None
    return memory.buf


def _attached(name: str) -> SharedMemory:
    """A segment that is somebody else's: a tracker of ours would unlink it when we end."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    else:
        memory = SharedMemory(name)
        resource_tracker.unregister(f"/{memory.name}", "shared_memory")
        return memory
