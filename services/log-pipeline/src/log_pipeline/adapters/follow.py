"""Files that others write: followed through rotation and truncation, and from where an earlier life stopped."""

import glob
import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from log_pipeline.adapters.followed import Followed, Place, identity
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.reader import Reader
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.contract import Batch

CHUNK, LOOK_SECONDS = 256 * 1024, 0.25
PAUSE, GONE = 1.0, 60.0  # seconds of quiet: nothing more comes for now; nor to a file that is deleted
log = structlog.get_logger(__name__)


class Follower:
    """One thread for all files that match `patterns`; nothing that goes wrong with one of them ends it.

    At least once: a position is kept in `state` after the end of what came before it.
    """

    def __init__(self, intake: Intake, receipts: Receipts, patterns: Sequence[str], state: Path) -> None:
        self._intake, self._receipts, self._patterns, self._state = intake, receipts, patterns, state
        self._files: dict[str, Followed] = {}
        self._known = _load(state)
        self._troubled: set[str] = set()  # what the log has been told of
        self._unsaved = False
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        if self._patterns:
            self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the end, after `intake.ending` is set; then keep how far all is settled by now."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._settle()

    def _run(self) -> None:
        while not self._intake.ending.is_set():
            if not self.look():
                self._intake.ending.wait(LOOK_SECONDS)

    def look(self) -> bool:
        """Read on in each file, a chunk at most; whether there was something."""
        found = [self._advance(path) for path in self._paths()]
        self._settle()
        return any(found)

    def _paths(self) -> list[str]:
        matching = {path for pattern in self._patterns for path in glob.glob(pattern) if os.path.isfile(path)}
        return sorted(matching | set(self._files))

    def _advance(self, path: str) -> bool:
        try:
            followed = self._files.get(path) or self._begin(path)
            found = followed is not None and (self._read(followed) or self._turned(followed))
            self._troubled.discard(path)
            return found
        except Exception as error:  # of the file, or of the engine, which may be a learner's
            self._say(path, error)
            self._leave(path)
            return False

    def _begin(self, path: str) -> Followed | None:
        """Open `path`, or what it was when we stopped; None if that is open already, under an earlier name."""
        inode, position = self._known.get(path, (0, 0))
        file = open(_with_inode(path, inode) or path, "rb")  # noqa: SIM115  # followed until it is rotated away
        followed = Followed(path, file, Reader(self._intake, f"file:{path}"))
        if followed.identity in {one.identity for one in self._files.values()}:
            followed.close()
            return None
        if followed.inode == inode and followed.size >= position:
            file.seek(position)
            followed.position = followed.settled = position
        self._files[path] = followed
        return followed

    def _leave(self, path: str) -> None:
        """Begin anew with the next look, after what is settled."""
        followed = self._files.pop(path, None)
        if followed:
            self._known[path] = followed.place
            followed.close()

    def _read(self, followed: Followed) -> bool:
        data = followed.file.read(CHUNK)
        if not data:
            if followed.quiet_for(PAUSE, self._intake.clock.monotonic()):
                self._submit(followed, followed.reader.pause())
            return False
        followed.quiet_since = followed.left_since = None
        followed.position += len(data)
        self._submit(followed, followed.reader.feed(data))
        return True

    def _turned(self, followed: Followed) -> bool:
        """Whether it was truncated, or will not grow any more."""
        if followed.size < followed.position:
            self._begin_again(followed)
            return True
        patience = _patience(followed)
        if not followed.left_for(patience, self._intake.clock.monotonic()):
            return False
        self._submit(followed, followed.reader.end())
        if followed.all_ended:  # until then its name and position are what another life would need
            self._close(followed)
        return False

    def _begin_again(self, followed: Followed) -> None:
        log.info("a followed file was truncated", file=followed.path)
        self._submit(followed, followed.reader.end())
        followed.file.seek(0)
        followed.position = followed.settled = 0
        followed.owed.clear()

    def _close(self, followed: Followed) -> None:
        """The file that has its name now is next; this one may match under its new name, and is read already."""
        del self._files[followed.path]
        followed.settle()
        if self._known.get(followed.path, followed.place)[0] == followed.inode:
            self._known.pop(followed.path, None)
        for path in self._paths():
            with suppress(OSError):
                if identity(os.stat(path)) == followed.identity:
                    self._known[path] = followed.place
        followed.close()
        self._unsaved = True

    def _submit(self, followed: Followed, batches: Sequence[Batch]) -> None:
        if not batches:
            return
        ours = [replace(batch, replayable=True) for batch in batches]
        ended = self._receipts.expect(batch.id for batch in ours)
        try:
            for batch in ours:
                self._intake.submit(batch)
        except BaseException:
            self._receipts.forget(batch.id for batch in ours)
            raise
        followed.owed.append((followed.position - followed.reader.pending, ended))

    def _settle(self) -> None:
        """Move each position on to where all has ended, and keep it."""
        moved = [followed.settle() for followed in self._files.values()]
        self._unsaved |= any(moved)
        if not self._unsaved:
            return
        self._known |= {path: one.place for path, one in self._files.items()}
        try:
            _save(self._state, self._known)
        except OSError as error:  # the next look tries again; until then another life reads some of it twice
            self._say(str(self._state), error)
        else:
            self._unsaved = False
            self._troubled.discard(str(self._state))

    def _say(self, path: str, error: Exception) -> None:
        if path not in self._troubled:
            self._troubled.add(path)
            log.warning("a file cannot be followed just now", file=path, exc_info=error)


def _patience(followed: Followed) -> float | None:
    """Seconds that whoever wrote it may still do so, now that another file has its name, or none; else None."""
    try:
        return None if identity(os.stat(followed.path)) == followed.identity else PAUSE
    except FileNotFoundError:
        return GONE if followed.deleted else None


def _with_inode(path: str, inode: int) -> str | None:
    """The name that the file we had read before has now, if it was rotated and is still there."""
    if not inode:
        return None
    for name in glob.glob(f"{glob.escape(path)}*"):
        with suppress(OSError):
            if os.stat(name).st_ino == inode:
                return name
    return None


def _load(state: Path) -> dict[str, Place]:
    try:
        return {path: (inode, position) for path, (inode, position) in json.loads(state.read_text()).items()}
    except (OSError, ValueError):
        return {}


def _save(state: Path, places: dict[str, Place]) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_suffix(".part")
    partial.write_text(json.dumps(places))
    partial.rename(state)
