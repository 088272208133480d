"""The components' log files: bounded in size, and read from the end."""

import os
import shutil
from collections import deque
from pathlib import Path

__all__ = ["LIMIT", "Follower", "begin", "last_line", "size", "tail", "trim"]

LIMIT = 10 * 1024 * 1024
_TAIL_BYTES = 256 * 1024


def begin(path: Path) -> None:
    """Start a log anew; the one before is kept as `.1`."""
    if path.exists():
        os.replace(path, _older(path))
    path.touch()


def trim(path: Path, limit: int = LIMIT) -> None:
    """Move a log that passed `limit` bytes to `.1`, in place, as its writer has it open for appending.

    Lines written between the copy and the cut are lost.
    """
    if path.stat().st_size > limit:
        shutil.copyfile(path, _older(path))
        os.truncate(path, 0)


def size(path: Path) -> int:
    """Return the length in bytes; of a log that somebody removed, 0."""
    return path.stat().st_size if path.exists() else 0


def tail(path: Path, count: int, since: int = 0) -> list[str]:
    """Return up to `count` last lines, of those written after offset `since`."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return []
    return list(deque((line.rstrip() for line in text.splitlines() if line.strip()), maxlen=count))


def last_line(path: Path, since: int = 0) -> str:
    """Return the last line written after offset `since`, or nothing."""
    return next(iter(tail(path, 1, since)), "")


class Follower:
    """Reads what is added to a log from now on, also where it is cut (`trim`) or begun anew (`begin`)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("rb", buffering=0)
        self._at = self._file.seek(0, os.SEEK_END)

    def new_lines(self) -> list[str]:
        """Return the whole lines written since the last call."""
        lines = self._read()
        if self._begun_anew():
            self.close()
            self._file, self._at = self._path.open("rb", buffering=0), 0
            lines += self._read()
        return lines

    def close(self) -> None:
        self._file.close()

    def _read(self) -> list[str]:
        if os.fstat(self._file.fileno()).st_size < self._at:
            self._at = 0
        self._file.seek(self._at)
        whole, end, _ = self._file.readall().rpartition(b"\n")
        self._at += len(whole + end)
        return [line.rstrip() for line in (whole + end).decode(errors="replace").splitlines()]

    def _begun_anew(self) -> bool:
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
