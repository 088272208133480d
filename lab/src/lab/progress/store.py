"""Where progress is kept: one file that is replaced in one step, by one process at a time."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from lab import LabError
from lab.progress.record import VERSION, Progress

__all__ = ["VARIABLE", "Corrupt", "Store", "now", "parse", "the_store"]

VARIABLE = "LAB_PROGRESS"
PATIENCE = 10.0  # seconds; whoever holds the lock needs milliseconds


class Corrupt(LabError):
    """This is no progress document; the text says why."""


def now() -> datetime:
    """This moment, to the second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)


def the_store(environ: Mapping[str, str] | None = None) -> "Store":
    """The learner's own: the file that LAB_PROGRESS names, else the one in the user's data folder."""
    from platformdirs import user_data_path

    named = (os.environ if environ is None else environ).get(VARIABLE)
    return Store(Path(named) if named else user_data_path("concurrency-lab") / "progress.json")


def parse(text: str | bytes, source: str) -> Progress:
    """Read a document. Raises Corrupt, and LabError for one of a newer version, which is left to that version."""
    try:
        version = json.loads(text)["version"]
        if isinstance(version, int) and version > VERSION:
            raise LabError(
                f"{source} was written by a newer lab (version {version}, this one knows {VERSION}): "
                "update this lab; nothing was changed."
            )
        return Progress.model_validate_json(text)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        reason = str(error).partition("\n")[0]
        raise Corrupt(f"{source} is no progress of the lab: {type(error).__name__}: {reason}") from None


class Store:
    """One progress file. Readers and writers of any process wait for each other; no update is lost.

    A file that cannot be read is set aside under another name, and `say` is told. Every method raises LabError
    for a folder or a file that cannot be used.
    """

    def __init__(self, path: Path, say: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._say = say or (lambda text: print(text, file=sys.stderr))

    def read(self) -> Progress:
        """What is remembered; an empty document where there is none yet."""
        if not self.path.exists():
            return Progress()
        with self._alone():
            return self._load()

    def update(self, change: Callable[[Progress], Progress]) -> Progress:
        """Replace the document by what `change` makes of it; returns that. If `change` raises, nothing changes."""
        with self._alone():
            before = self._load()
            after = change(before)
            if after != before:
                self._save(after)
            return after

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=PATIENCE):
                yield
        except Timeout:
            raise LabError(f"Another lab command holds {self.path}.lock: end it, then try again.") from None
        except OSError as error:
            raise LabError(
                f"Progress cannot be kept in {self.path}: {error.strerror}. "
                f"Make that possible, or name another file with {VARIABLE}."
            ) from None

    def _load(self) -> Progress:
        try:
            return parse(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return Progress()
        except Corrupt as problem:
            self._set_aside(problem)
            return Progress()

    def _set_aside(self, problem: Corrupt) -> None:
        names = (self.path.with_name(f"{self.path.name}.corrupt-{number}") for number in range(1, 1_000_000))
        aside = next(name for name in names if not name.exists())
        os.replace(self.path, aside)
        self._say(f"{problem}\nIt is kept as {aside}; a new one begins.")

    def _save(self, progress: Progress) -> None:
        draft = self.path.with_name(f"{self.path.name}.tmp")
        with draft.open("w", encoding="utf-8") as file:
            file.write(progress.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self.path)
