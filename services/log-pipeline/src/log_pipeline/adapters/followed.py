"""One open file that is followed, and how far."""

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import BinaryIO

from log_pipeline.adapters.reader import Reader
from log_pipeline.contract import Receipt

type Place = tuple[int, int]
"""The inode of a file, and the position in it up to which all has ended."""


@dataclass(slots=True)
class Followed:
    """For one thread. `position`: read so far; `settled`: what is before it has ended, and is not read again."""

    path: str
    file: BinaryIO
    reader: Reader
    position: int = 0
    settled: int = 0
    quiet_since: float | None = None
    left_since: float | None = None
    owed: deque[tuple[int, Future[Sequence[Receipt]]]] = field(default_factory=deque)

    @property
    def identity(self) -> tuple[int, int]:
        return identity(os.fstat(self.file.fileno()))

    @property
    def inode(self) -> int:
        return self.identity[1]

    @property
    def size(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    @property
    def deleted(self) -> bool:
        return os.fstat(self.file.fileno()).st_nlink == 0

    @property
    def place(self) -> Place:
        return self.inode, self.settled

    @property
    def all_ended(self) -> bool:
        return all(ended.done() for _, ended in self.owed)

    def quiet_for(self, seconds: float, now: float) -> bool:
        """Whether there was nothing to read for so long."""
        if self.quiet_since is None:
            self.quiet_since = now
        return now - self.quiet_since >= seconds

    def left_for(self, seconds: float | None, now: float) -> bool:
        """Whether it had lost its name for so long, with nothing to read; None: it has its name."""
        if seconds is None or self.left_since is None:
            self.left_since = None if seconds is None else now
            return False
        return now - self.left_since >= seconds

    def settle(self) -> bool:
        """Move on to where all has ended; whether that was further on."""
        before = len(self.owed)
        while self.owed and self.owed[0][1].done():
            self.settled = self.owed.popleft()[0]
        return len(self.owed) < before

    def close(self) -> None:
        self.file.close()
        self.reader.close()


def identity(status: os.stat_result) -> tuple[int, int]:
    """What a file is, whatever its name: its device and its inode."""
    return status.st_dev, status.st_ino
