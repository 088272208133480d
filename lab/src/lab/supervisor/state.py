"""What the supervisor tells other commands: one small file, replaced atomically, and one lock.

The lock is held for as long as a supervisor lives, so that two never race; the kernel drops it whatever the
end. A reader sees a whole state or none. Processes are recorded with their creation time, for a pid alone
proves nothing.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

from lab import LabError

__all__ = ["UP", "ComponentState", "Home", "LabState", "Taken"]

VERSION = 1
_LOCK_PATIENCE = 0.3  # seconds
UP = frozenset({"ready", "running", "absent"})


class Taken(LabError):
    """Another supervisor holds the lock."""


@dataclass(frozen=True)
class ComponentState:
    """One component: starting, ready, running (a worker without a port), restarting, unready (it was ready
    and does not answer), failed, stopped, or absent (optional and not to be had).

    `created` is seconds since the epoch, as psutil gives it.
    """

    name: str
    state: str = "starting"
    address: str = ""
    pid: int | None = None
    created: float | None = None
    seconds_to_ready: float | None = None
    restarts: int = 0
    grace: float = 10.0
    detail: str = ""

    @property
    def up(self) -> bool:
        return self.state in UP


@dataclass(frozen=True)
class LabState:
    """The whole lab: starting, ready, failed or stopping; `problem` says why it failed, `open`
    what is worth opening in a browser."""

    status: str = "starting"
    pid: int = 0
    created: float = 0.0
    run: str = ""
    problem: str = ""
    seconds_to_ready: float | None = None
    open: list[str] = field(default_factory=list)
    components: dict[str, ComponentState] = field(default_factory=dict)

    def with_component(self, name: str, **changes: Any) -> "LabState":
        changed = replace(self.components[name], **changes)
        return replace(self, components=self.components | {name: changed})

    def with_status(self, status: str, **changes: Any) -> "LabState":
        return replace(self, status=status, **changes)

    def to_json(self) -> str:
        return json.dumps({"version": VERSION} | asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "LabState":
        """Raises ValueError, KeyError, TypeError or AttributeError for what `to_json` did not write."""
        values = json.loads(text)
        if values.pop("version", None) != VERSION:
            raise ValueError("another version")
        parts = {name: ComponentState(**part) for name, part in values.pop("components").items()}
        return cls(**values, components=parts)


@dataclass(frozen=True)
class Home:
    """The folder `.lab` beside the Compose file, and what the supervisor keeps in it."""

    folder: Path

    @classmethod
    def beside(cls, file: Path) -> "Home":
        return cls(file.resolve().parent / ".lab")

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def save(self, state: LabState) -> None:
        """Replace the state; a reader never sees half of it."""
        draft = self.state.with_suffix(".tmp")
        draft.write_text(state.to_json())
        os.replace(draft, self.state)

    def load(self) -> LabState | None:
        """Return the last state saved, whoever saved it, or None. Raises LabError for one that is damaged."""
        try:
            with self.refusals_told():
                return LabState.from_json(self.state.read_text())
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise LabError(
                f"{self.state} is damaged, or was written by another version of the lab: "
                "end that lab with its own `lab down`; if none runs, delete the file."
            ) from None

    @contextmanager
    def refusals_told(self) -> Iterator[None]:
        """While the block runs, what the file system refuses becomes a LabError; a missing file does not."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LabError(
                f"{error.filename or self.folder}: {error.strerror}. What the lab keeps is in {self.folder}: "
                "that has to be a folder of yours, on a disk with room."
            ) from None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to supervise; raise Taken where another supervisor has it.

        Patient for a moment, for `locked` holds it for an instant.
        """
        with self.refusals_told():
            self.logs.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "lock").open("w")
        with file:
            deadline = time.monotonic() + _LOCK_PATIENCE
            while not _try_lock(file):
                if time.monotonic() > deadline:
                    raise Taken("The lab is already running.")
                time.sleep(0.02)
            yield

    def locked(self) -> bool:
        """Whether a supervisor lives now."""
        try:
            with self.refusals_told(), (self.folder / "lock").open() as file:
                return not _try_lock(file)
        except FileNotFoundError:
            return False


def _try_lock(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
