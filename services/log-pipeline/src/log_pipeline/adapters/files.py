"""The files that records go to, one for each priority, and one for the dead."""

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from log_pipeline.adapters.file import GrowingFile, compress, siblings
from log_pipeline.contract import Batch, Priority, SinkFailed

TAIL = 1024 * 1024  # bytes that are looked at for the last records
log = structlog.get_logger(__name__)


class Files:
    """The sink port, for all engines that follow one another. Writes take turns behind one lock.

    `keep` full files of each priority are kept, compressed; older ones are deleted.
    """

    def __init__(self, folder: Path, rotate: int, keep: int, *, sync: bool) -> None:
        self._folder = folder
        self._lock = threading.Lock()  # guards the files
        self._files = {
            priority: GrowingFile(folder / f"{priority.name.lower()}.jsonl", rotate, sync=sync)
            for priority in Priority
        }
        self._dead = GrowingFile(folder / "dead.jsonl", rotate, sync=sync)
        self._keep = keep
        self._packer = ThreadPoolExecutor(1, "compress")

    def write(self, batches: Sequence[Batch]) -> None:
        parts: dict[Priority, list[bytes]] = {}
        for batch in batches:
            parts.setdefault(batch.priority, []).append(batch.payload)
        with self._lock, _translated():
            self._append({self._files[priority]: payloads for priority, payloads in parts.items()})

    def bury(self, batch: Batch, why: str) -> None:
        about = {
            "why": why,
            "source": batch.source,
            "batch": batch.id,
            "priority": batch.priority.name.lower(),
        }
        records = [line.decode(errors="backslashreplace") for line in batch.lines()]
        line = json.dumps(about | {"records": records}).encode() + b"\n"
        with self._lock, _translated():
            self._append({self._dead: [line]})

    def last(self, kind: str, limit: int) -> list[str]:
        """The last records of a priority, or of the dead, the oldest first; of the last MiB of the file."""
        path = self._folder / f"{kind}.jsonl"
        try:
            with path.open("rb") as file:
                start = max(0, file.seek(0, 2) - TAIL - 1)
                file.seek(start)
                lines = file.read().split(b"\n")[1 if start else 0 : -1]
        except FileNotFoundError:
            return []
        return [line.decode(errors="backslashreplace") for line in lines[-limit:]]

    def abort(self) -> None:
        """A write to a file cannot be interrupted; the one before it refuses further ones."""

    def close(self) -> None:
        with self._lock:
            for file in (*self._files.values(), self._dead):
                file.close()
        self._packer.shutdown()

    def _append(self, parts: dict[GrowingFile, list[bytes]]) -> None:
        """All or nothing: what was appended is undone in every file when one of them fails."""
        begun = list[tuple[GrowingFile, int]]()
        try:
            for file, payloads in parts.items():
                file.append(payloads)
                begun.append((file, file.size))
            for file in parts:
                file.sync()
        except OSError:
            for file, size in begun:
                file.cut_to(size)
            raise
        for file in parts:
            self._rotate(file)

    def _rotate(self, file: GrowingFile) -> None:
        with suppress(OSError):  # it grows on, until the next write
            full = file.rotated()
            if full:
                self._packer.submit(self._retire, file.path)

    def _retire(self, path: Path) -> None:
        try:
            for full in siblings(path):
                if full.suffix == path.suffix:
                    compress(full)
            for old in siblings(path)[: -self._keep]:
                old.unlink()
        except OSError as error:
            log.warning("a full file stays as it is", file=str(path), error=str(error))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkFailed(f"the records cannot be written: {error}") from error
