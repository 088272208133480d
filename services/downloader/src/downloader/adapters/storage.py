"""Files: parts and checkpoints in one folder, finished files in another, and one rename between them."""

import os
import re
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from downloader.contract import PartFile, StorageFailed

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
READ_WRITE = os.O_RDWR | os.O_CLOEXEC
SMALL = 1024 * 1024
"""Whether so much fits is found out by writing it."""


class _Reported:
    """Turns what the disk says while the block runs into `StorageFailed`. Shared by threads: it has no state."""

    def __init__(self, action: str) -> None:
        self._action = action

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise StorageFailed(f"cannot {self._action}: {error.strerror or error}") from error


CREATING, WRITING, READING, SYNCING, FINISHING, SAVING, LOADING, DISCARDING, REMOVING, LOOKING = map(
    _Reported,
    (
        "create a part file",
        "write to a part file",
        "read a part file",
        "sync a part file",
        "finish a file",
        "save a checkpoint",
        "read a checkpoint",
        "discard a part file",
        "remove a file",
        "look at the disk",
    ),
)


class _Part:
    """An open part file, which ends before byte `end`; see `contract.PartFile`. `files` is the open folder of the
    finished ones."""

    def __init__(self, descriptor: int, end: int, part: str, final: str, files: int) -> None:
        self._descriptor, self._part, self._final, self._files = descriptor, part, final, files
        self._end, self._end_lock = end, threading.Lock()

    def write(self, data: memoryview, offset: int) -> None:
        with self._end_lock:
            self._end = max(self._end, offset + len(data))
        with WRITING:
            while data:
                count = os.pwrite(self._descriptor, data, offset)
                data, offset = data[count:], offset + count

    def readinto(self, buffer: memoryview, offset: int) -> int:
        with READING:
            return os.preadv(self._descriptor, [buffer], offset)

    def publish(self, size: int) -> None:
        with FINISHING:
            if self._end != size:
                os.ftruncate(self._descriptor, size)
            os.fsync(self._descriptor)
            os.replace(self._part, self._final)
            os.fsync(self._files)

    def sync(self) -> None:
        with SYNCING:
            os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class FileStorage:
    """See `contract.Storage`. Everything is below `root`, which one service has to itself, and one storage.

    So it knows which checkpoints there are without asking the disk. Asking costs little by itself, but a thread
    that asks gives up the interpreter's lock, and with small files eight threads do little else.
    """

    def __init__(self, root: Path) -> None:
        self._parts, self._files = str(root / "parts"), str(root / "files")
        for folder in (self._parts, self._files):
            os.makedirs(folder, exist_ok=True)
        self._checkpoints = {path.stem for path in Path(self._parts).glob("*.json")}
        self._files_folder = os.open(self._files, os.O_RDONLY | os.O_DIRECTORY)
        weakref.finalize(self, os.close, self._files_folder)

    def path(self, destination: str) -> Path:
        """Where the finished file is, if it is."""
        return Path(self._final(destination))

    def create(self, destination: str) -> PartFile:
        part = self._part(destination)
        with CREATING:
            return self._opened(_created(part), 0, part, destination)

    def reopen(self, destination: str) -> PartFile | None:
        part = self._part(destination)
        try:
            descriptor = os.open(part, READ_WRITE)
        except OSError:
            return None
        return self._opened(descriptor, os.fstat(descriptor).st_size, part, destination)

    def save(self, destination: str, checkpoint: bytes) -> None:
        final = self._checkpoint(destination)
        draft = f"{final}.draft"
        with SAVING:
            Path(draft).write_bytes(checkpoint)
            os.replace(draft, final)
        self._checkpoints.add(destination)

    def load(self, destination: str) -> bytes | None:
        if destination not in self._checkpoints:
            return None
        with LOADING, suppress(FileNotFoundError):
            return Path(self._checkpoint(destination)).read_bytes()
        return None

    def discard(self, destination: str) -> None:
        with DISCARDING:
            _unlink(self._part(destination))
            _unlink(self._checkpoint(destination))
        self._checkpoints.discard(destination)

    def reserve(self, size: int) -> None:
        if size <= SMALL:
            return
        with LOOKING:
            disk = os.statvfs(self._parts)
        free = disk.f_bavail * disk.f_frsize
        if size > free:
            raise StorageFailed(f"the disk is full: the file has {size} bytes, {free} are free")

    def remove(self, destination: str) -> None:
        """Delete a finished file, and what there is of an unfinished one."""
        with REMOVING:
            _unlink(self._final(destination))
        self.discard(destination)

    def _opened(self, descriptor: int, end: int, part: str, destination: str) -> _Part:
        return _Part(descriptor, end, part, f"{self._files}/{destination}", self._files_folder)

    def _final(self, destination: str) -> str:
        return f"{self._files}/{_checked(destination)}"

    def _part(self, destination: str) -> str:
        return f"{self._parts}/{_checked(destination)}.part"

    def _checkpoint(self, destination: str) -> str:
        return f"{self._parts}/{_checked(destination)}.json"


def _checked(destination: str) -> str:
    if not KEY.fullmatch(destination):
        raise StorageFailed(f"{destination!r} is no destination: letters, digits, dot, dash, underscore")
    return destination


def _created(part: str) -> int:
    """A new file: whoever still writes to an older one of that name writes to nowhere."""
    try:
        return os.open(part, READ_WRITE | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        _unlink(part)
        return os.open(part, READ_WRITE | os.O_CREAT | os.O_EXCL, 0o644)


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
