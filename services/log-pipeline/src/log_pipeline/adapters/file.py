"""One file that grows: appended to all or nothing, rotated by size, compressed when it is full."""

import gzip
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class GrowingFile:
    """Not safe from several threads. Every method raises OSError, and `append` then leaves the file as it was.

    At the start a last line without its end is cut off: it was never said to be written.
    """

    def __init__(self, path: Path, rotate: int, *, sync: bool) -> None:
        self.path, self._rotate, self._sync = path, rotate, sync
        self._fd: int | None = None
        self.size = 0

    def append(self, parts: Sequence[bytes]) -> None:
        """Write `parts` one after another. They are durable after `sync`."""
        fd = self._open()
        try:
            for part in parts:
                self._write(fd, part)
        except OSError:
            self.cut_to(self.size)
            raise

    def sync(self) -> int:
        """Make durable what was appended; returns the new size."""
        if self._fd is not None:
            if self._sync:
                os.fdatasync(self._fd)
            self.size = os.fstat(self._fd).st_size
        return self.size

    def cut_to(self, size: int) -> None:
        """Undo what was appended beyond `size`."""
        if self._fd is not None:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            self.size = size

    def rotated(self) -> Path | None:
        """Begin a new file if this one is full; returns the full one under its new name."""
        if self.size < self._rotate:
            return None
        self.close()
        full = self.path.with_name(f"{self.path.stem}-{self._next_number():06}{self.path.suffix}")
        self.path.rename(full)
        return full

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        """The open file; opened anew when somebody has moved it or taken it away."""
        if self._fd is not None and not self._still_there(self._fd):
            self.close()
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            _cut_torn_line(fd)
            self._fd, self.size = fd, os.fstat(fd).st_size
        return self._fd

    def _still_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _write(self, fd: int, part: bytes) -> None:
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(fd, rest) :]

    def _next_number(self) -> int:
        taken = (path.name.split(".")[0].rpartition("-")[2] for path in siblings(self.path))
        return max((int(number) for number in taken if number.isdigit()), default=0) + 1


def siblings(path: Path) -> list[Path]:
    """The full files that `path` was before, the oldest first."""
    return sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}*"))


def compress(path: Path) -> None:
    """Replace `path` by `path`.gz, which appears whole."""
    packed, partial = path.with_name(f"{path.name}.gz"), path.with_name(f"{path.name}.gz.part")
    with path.open("rb") as plain, gzip.open(partial, "wb", compresslevel=1) as target:
        shutil.copyfileobj(plain, target, 1024 * 1024)
    partial.rename(packed)
    path.unlink()


def _cut_torn_line(fd: int) -> None:
    size = os.fstat(fd).st_size
    end = size
    while end:
        begin = max(0, end - 64 * 1024)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            end = begin + found + 1
            break
        end = begin
    if end < size:
        os.ftruncate(fd, end)
