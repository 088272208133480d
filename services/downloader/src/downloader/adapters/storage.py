"""Files: parts and checkpoints in one folder, finished files in another, and one rename between them."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from downloader.contract import PartFile, StorageFailed

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@contextmanager
def _reported(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"cannot {action}: {error.strerror or error}") from error


class _Part:
    """An open part file; see `contract.PartFile`."""

    def __init__(self, descriptor: int, part: Path, final: Path) -> None:
        self._descriptor, self._part, self._final = descriptor, part, final

    def write(self, data: memoryview, offset: int) -> None:
        with _reported(f"write {self._part.name}"):
            while data:
                count = os.pwrite(self._descriptor, data, offset)
                data, offset = data[count:], offset + count

    def readinto(self, buffer: memoryview, offset: int) -> int:
        with _reported(f"read {self._part.name}"):
            return os.preadv(self._descriptor, [buffer], offset)

    def publish(self, size: int) -> None:
        with _reported(f"finish {self._final.name}"):
            os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
            os.replace(self._part, self._final)
            _sync_folder(self._final.parent)

    def sync(self) -> None:
        with _reported(f"sync {self._part.name}"):
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class FileStorage:
    """See `contract.Storage`. Everything is below `root`, which one service has to itself."""

    def __init__(self, root: Path) -> None:
        self._parts, self._files = root / "parts", root / "files"
        for folder in (self._parts, self._files):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, destination: str) -> Path:
        """Where the finished file is, if it is."""
        return self._files / _checked(destination)

    def create(self, destination: str) -> PartFile:
        part = self._parts / f"{_checked(destination)}.part"
        with _reported(f"create {part.name}"):
            part.unlink(missing_ok=True)
            descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        return _Part(descriptor, part, self._files / destination)

    def reopen(self, destination: str) -> PartFile | None:
        part = self._parts / f"{_checked(destination)}.part"
        try:
            with _reported(f"open {part.name}"):
                return _Part(os.open(part, os.O_RDWR | os.O_CLOEXEC), part, self._files / destination)
        except StorageFailed:
            return None

    def save(self, destination: str, checkpoint: bytes) -> None:
        final = self._checkpoint(destination)
        draft = final.with_suffix(".draft")
        with _reported(f"save {final.name}"):
            draft.write_bytes(checkpoint)
            os.replace(draft, final)

    def load(self, destination: str) -> bytes | None:
        try:
            return self._checkpoint(destination).read_bytes()
        except OSError:
            return None

    def discard(self, destination: str) -> None:
        with _reported(f"discard {destination}"):
            (self._parts / f"{_checked(destination)}.part").unlink(missing_ok=True)
            self._checkpoint(destination).unlink(missing_ok=True)

    def reserve(self, size: int) -> None:
        with _reported("look at the disk"):
            free = shutil.disk_usage(self._parts).free
        if size > free:
            raise StorageFailed(f"the disk is full: the file has {size} bytes, {free} are free")

    def remove(self, destination: str) -> None:
        """Delete a finished file."""
        with _reported(f"remove {destination}"):
            self.path(destination).unlink(missing_ok=True)

    def _checkpoint(self, destination: str) -> Path:
        return self._parts / f"{_checked(destination)}.json"


def _checked(destination: str) -> str:
    if not KEY.fullmatch(destination):
        raise StorageFailed(f"{destination!r} is no destination: letters, digits, dot, dash, underscore")
    return destination


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
