"""Files that others write: followed through rotation and truncation, and from where an earlier life stopped."""

import glob
import json
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import structlog

from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.reader import Reader
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.contract import Batch, Receipt

CHUNK, LOOK_SECONDS, LONGEST_PAUSE = 256 * 1024, 0.25, 4
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Followed:
    """One open file. `position`: read so far; `settled`: what is before it has ended, and is not read again."""

    path: str
    file: BinaryIO
    reader: Reader
    position: int = 0
    settled: int = 0
    quiet: int = 0
    owed: deque[tuple[int, Future[Sequence[Receipt]]]] = field(default_factory=deque)

    @property
    def inode(self) -> int:
        return os.fstat(self.file.fileno()).st_ino


class Follower:
    """One thread for all files that match `patterns`.

    At least once: a position is kept in `state` after the end of what came before it.
    """

    def __init__(self, intake: Intake, receipts: Receipts, patterns: Sequence[str], state: Path) -> None:
        self._intake, self._receipts, self._patterns, self._state = intake, receipts, patterns, state
        self._files: dict[str, Followed] = {}
        self._known = _load(state)
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        if self._patterns:
            self._thread.start()

    def join(self, timeout: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._intake.ending.is_set():
            found = [self._advance(path) for path in self._paths()]
            self._settle()
            if not any(found):
                self._intake.ending.wait(LOOK_SECONDS)
        self._settle()

    def _paths(self) -> list[str]:
        return sorted({path for pattern in self._patterns for path in glob.glob(pattern)} | set(self._files))

    def _advance(self, path: str) -> bool:
        """Read on in one file, a chunk at most; whether there was something."""
        try:
            followed = self._files.get(path) or self._begin(path)
            return self._read(followed) or self._turned(followed)
        except OSError as error:
            log.warning("a file cannot be followed just now", file=path, error=str(error))
            return False

    def _begin(self, path: str) -> Followed:
        inode, position = self._known.get(path, (0, 0))
        earlier = _with_inode(path, inode)
        file = open(earlier or path, "rb")  # noqa: SIM115  # followed until it is rotated away
        followed = Followed(path, file, Reader(self._intake, f"file:{path}"))
        if followed.inode == inode and os.fstat(file.fileno()).st_size >= position:
            file.seek(position)
            followed.position = followed.settled = position
        self._files[path] = followed
        return followed

    def _read(self, followed: Followed) -> bool:
        data = followed.file.read(CHUNK)
        if not data:
            followed.quiet += 1
            if followed.quiet == LONGEST_PAUSE:
                self._submit(followed, followed.reader.pause())
            return False
        followed.quiet = 0
        followed.position += len(data)
        self._submit(followed, followed.reader.feed(data))
        return True

    def _turned(self, followed: Followed) -> bool:
        """Whether it was truncated, or rotated away after we had read all of it: then the new one is next."""
        size = os.fstat(followed.file.fileno()).st_size
        if size < followed.position:
            log.info("a followed file was truncated", file=followed.path)
            self._submit(followed, followed.reader.end())
            followed.file.seek(0)
            followed.position = followed.settled = 0
            followed.owed.clear()
            return True
        with suppress(FileNotFoundError):
            if os.stat(followed.path).st_ino != followed.inode:
                self._submit(followed, followed.reader.end())
                if not self._all_ended(followed):
                    return False  # until then its name and position are what another life would need
                followed.file.close()
                del self._files[followed.path]
                self._known.pop(followed.path, None)
                self._begin(followed.path)
                return True
        return False

    def _all_ended(self, followed: Followed) -> bool:
        return all(ended.done() for _, ended in followed.owed)

    def _submit(self, followed: Followed, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        ours = [replace(batch, replayable=True) for batch in batches]
        ended = self._receipts.expect(batch.id for batch in ours)
        for batch in ours:
            self._intake.submit(batch)
        followed.owed.append((followed.position - followed.reader.pending, ended))

    def _settle(self) -> None:
        """Move each position on to where all has ended, and keep it."""
        moved = False
        for followed in self._files.values():
            while followed.owed and followed.owed[0][1].done():
                followed.settled = followed.owed.popleft()[0]
                moved = True
        if moved:
            places = {path: (one.inode, one.settled) for path, one in self._files.items()}
            self._known |= places
            _save(self._state, self._known)


def _with_inode(path: str, inode: int) -> str | None:
    """The name that the file we had read before has now, if it was rotated and is still there."""
    if not inode:
        return None
    for name in glob.glob(f"{glob.escape(path)}*"):
        with suppress(OSError):
            if os.stat(name).st_ino == inode:
                return name
    return None


def _load(state: Path) -> dict[str, tuple[int, int]]:
    try:
        return {path: (inode, position) for path, (inode, position) in json.loads(state.read_text()).items()}
    except (OSError, ValueError):
        return {}


def _save(state: Path, places: dict[str, tuple[int, int]]) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_suffix(".part")
    partial.write_text(json.dumps(places))
    partial.rename(state)
