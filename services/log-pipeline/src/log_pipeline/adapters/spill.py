"""What was accepted and could not be written before the end, kept for the next life."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from log_pipeline.contract import Batch, Receipt

log = structlog.get_logger(__name__)


class Spill:
    """A folder of files, each some batches. Safe from any thread. `save` returns when they are durable.

    A file goes when all its batches have ended: until then another start gives them again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # guards `_open`
        self._open: dict[str, set[str]] = {}
        self._gathering = threading.Lock()  # guards `_gathered`
        self._gathered: list[Batch] = []

    def save(self, batches: Sequence[Batch]) -> None:
        """Raises OSError."""
        kept = [batch for batch in batches if not batch.replayable]
        if not kept:
            return
        with self._gathering:
            self._gathered += kept
        with self._lock:
            self._write_gathered()

    def _write_gathered(self) -> None:
        """Write at once what all have who wait for the lock: at an end they are many. Requires holding `_lock`."""
        with self._gathering:
            batches, self._gathered = self._gathered, []
        if not batches:  # whoever held the lock before has written ours
            return
        try:
            self._write(batches)
        except OSError:
            with self._gathering:
                self._gathered += batches
            raise

    def _write(self, batches: Sequence[Batch]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = max((int(path.stem) for path in self._folder.glob("*.msgpack")), default=0) + 1
        path = self._folder / f"{number:06}.msgpack"
        _write_durably(path, msgspec.msgpack.encode(batches))
        self._open[path.name] = {batch.id for batch in batches}

    def load(self) -> list[Batch]:
        """What earlier lives left, the oldest first."""
        found = list[Batch]()
        with self._lock:
            for path in sorted(self._folder.glob("*.msgpack")):
                batches = msgspec.msgpack.decode(path.read_bytes(), type=list[Batch])
                self._open[path.name] = {batch.id for batch in batches}
                found += batches
        return found

    def finished(self, receipt: Receipt) -> None:
        """One batch has ended, whoever had it."""
        if not self._open:
            return
        with self._lock:
            for name, ids in list(self._open.items()):
                ids.discard(receipt.batch_id)
                if not ids:
                    del self._open[name]
                    self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:  # who tells of an end is not to suffer
            log.warning(
                "what was kept is written, and will be again after a start", file=name, error=str(error)
            )


def _write_durably(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".part")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
