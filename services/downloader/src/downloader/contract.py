"""What an engine of T1 is given, what it promises, and what may go wrong."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import ClassVar, Protocol

from lab_kit.ports import Ports as CommonPorts


class State(StrEnum):
    """Where a download is. The last three are final."""

    QUEUED = "queued"
    ACTIVE = "active"
    RETRYING = "retrying"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """One download. `destination` is a key of the storage, no path; a higher `priority` starts earlier."""

    url: str
    destination: str
    sha256: str | None = None
    priority: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a download, consistent in itself. Bytes; bytes per second; seconds."""

    job: Job
    state: State
    received: int = 0
    total: int | None = None
    rate: float = 0.0
    eta: float | None = None
    retries: int = 0
    restarts: int = 0
    sha256: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of an engine, consistent in itself. The counters never decrease while the engine lives."""

    states: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    bytes_received: int = 0
    bytes_resumed: int = 0
    retries: Mapping[str, int] = field(default_factory=dict)
    restarts: int = 0
    rate: float = 0.0
    workers: int = 0
    busy: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds an engine keeps, in bytes and seconds; `checksum`: hash also files with none given."""

    workers: int = 8
    per_host: int = 8
    per_download: int = 4
    jobs: int = 10_000
    retry_base: float = 0.5
    retry_cap: float = 30.0
    retry_total: float = 120.0
    retries: int = 100
    stall_seconds: float = 30.0
    stall_rate: float = 64.0
    checksum: bool = True


class DownloadError(Exception):
    """Anything this engine reports; the text is for people."""


class InvalidJob(DownloadError):
    """The job can never be downloaded; nothing was accepted."""


class UnknownJob(DownloadError):
    """No such download."""


class Conflict(DownloadError):
    """The download is in a state in which that cannot be done; nothing changed."""


class Busy(DownloadError):
    """The engine accepts no more just now: its queue is full, or it is stopping."""


class TransferError(DownloadError):
    """A transfer ended early. `reason` is a bounded metric label; only a `retryable` one is tried again."""

    reason: ClassVar[str] = "transfer"
    retryable: ClassVar[bool] = True
    retry_after: float | None = None


class ConnectionLost(TransferError):
    """Refused, reset, or closed before the promised length."""

    reason = "connection"


class TimedOut(TransferError):
    """No answer, or no more bytes, in time."""

    reason = "timeout"


class Stalled(TransferError):
    """Bytes came, but too slowly to call it a transfer."""

    reason = "stalled"


class HttpError(TransferError):
    """An answer that is not the file. Retryable for 408, 425, 429 and 5xx."""

    reason = "http"
    RETRYABLE: ClassVar[frozenset[int]] = frozenset({408, 425, 429, *range(500, 600)})

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"the server answered {status}")
        self.status, self.retry_after = status, retry_after
        self.retryable = status in self.RETRYABLE  # type: ignore[misc]  # the status decides, not the class


class ProtocolError(TransferError):
    """The server broke HTTP: a range or a length that contradicts itself."""

    reason = "protocol"


class ContentChanged(TransferError):
    """The file is another one than the part that is here: start over, never stitch."""

    reason = "changed"


class ChecksumMismatch(TransferError):
    """All bytes came, and they are not the file that was asked for."""

    reason = "checksum"


class Refused(TransferError):
    """We will not fetch this: a host that is not allowed, a scheme, an encoding, too many redirects."""

    reason = "refused"
    retryable = False


class StorageFailed(TransferError):
    """The disk is full, or does not let us write."""

    reason = "storage"
    retryable = False


class Response(Protocol):
    """An answer whose body is read once, by one thread. Header names are lower case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    def readinto(self, buffer: memoryview) -> int:
        """Fill from the start of `buffer` with what is there; 0 at the end. Raises `TransferError`."""

    def abort(self) -> None:
        """Make a `readinto` in another thread raise at once. Safe from any thread, more than once."""

    def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""


class Transport(Protocol):
    """HTTP. Safe from any thread."""

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        """The final answer after redirects, whatever its status. Raises `TransferError`."""


class PartFile(Protocol):
    """A file nobody sees under its final name until `publish`. Positional calls are safe from any thread."""

    def write(self, data: memoryview, offset: int) -> None: ...
    def readinto(self, buffer: memoryview, offset: int) -> int: ...
    def publish(self, size: int) -> None:
        """Cut to `size`, make durable, and rename in one step."""

    def sync(self) -> None: ...
    def close(self) -> None: ...


class Storage(Protocol):
    """Where files go. Safe from any thread for different destinations. All raise `StorageFailed`."""

    def create(self, destination: str) -> PartFile:
        """A new, empty part file; an older one of that destination is forgotten, even while it is written."""

    def reopen(self, destination: str) -> PartFile | None:
        """The part file left by an earlier life, if there is one."""

    def save(self, destination: str, checkpoint: bytes) -> None:
        """Replace the checkpoint in one step."""

    def load(self, destination: str) -> bytes | None: ...
    def discard(self, destination: str) -> None:
        """Forget part file and checkpoint."""

    def reserve(self, size: int) -> None:
        """Raise `StorageFailed` if `size` more bytes cannot fit."""


def _nothing(status: Status) -> None: ...
def _whatever() -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports(CommonPorts):
    """What T1 engines get: the common ports, the web, the disk, chance, and whom to tell of the end.

    `finished` is called once for each download that ends, from any thread, with no lock held, and before `stop`
    returns.
    `gather` says that the calling thread mostly runs Python from now on, `spread` that it mostly copies or hashes.
    """

    transport: Transport
    storage: Storage
    random: Random = field(default_factory=Random)
    finished: Callable[[Status], None] = _nothing
    gather: Callable[[], None] = _whatever
    spread: Callable[[], None] = _whatever


class DownloadManager(Protocol):
    """The engine. Every method may be called from any thread; none but `wait`, `stop` and `shutdown` blocks.

    Guarantees, under every schedule: at most `limits.workers` transfers at once and `limits.per_host` for a
    host; `received` is exact, and never decreases but when the file changed (`restarts` counts those); the
    final name appears once, whole, and only with the right checksum.
    """

    def __init__(self, ports: Ports, limits: Limits) -> None: ...

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin, with what an earlier engine or life left unfinished. What it left on disk is continued."""

    def submit(self, job: Job) -> str:
        """Accept `job`, return its id. Raises `InvalidJob`, `Conflict`, `Busy`, and then accepts nothing."""

    def pause(self, job_id: str) -> None:
        """Stop fetching and keep what is here. Raises `UnknownJob`, `Conflict`."""

    def resume(self, job_id: str) -> None:
        """Go on with a paused download, try a failed one again. Raises `UnknownJob`, `Conflict`, `Busy`."""

    def cancel(self, job_id: str) -> None:
        """End a download and discard what is here. Raises `UnknownJob`, `Conflict`."""

    def status(self, job_id: str) -> Status:
        """One download now. Raises `UnknownJob`."""

    def forget(self, job_id: str) -> None:
        """Drop what is known of a finished download. Raises `UnknownJob`, `Conflict`."""

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        """Block until the download is final or `timeout` seconds passed; returns its status either way."""

    def stats(self) -> Stats: ...

    def stop(self, deadline: float) -> Sequence[Job]:
        """Accept nothing more; let what runs go on for `deadline` seconds; return what is unfinished."""

    def shutdown(self, *, drain: bool = True) -> Sequence[Job]:
        """`stop` after everything accepted is final (`drain`), or at once."""
        return self.stop(math.inf if drain else 0.0)
