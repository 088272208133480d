"""The components' log files: bounded in size, and read from the end."""

import os
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

__all__ = ["LIMIT", "begin", "last_line", "new_lines", "size", "tail", "trim"]

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


def new_lines(file: TextIO) -> Iterator[str]:
    """Yield the whole lines written since the last call; start over where the log was cut."""
    if os.fstat(file.fileno()).st_size < file.tell():
        file.seek(0)
    while True:
        before = file.tell()
        line = file.readline()
        if not line.endswith("\n"):
            file.seek(before)
            return
        yield line.rstrip()


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")
