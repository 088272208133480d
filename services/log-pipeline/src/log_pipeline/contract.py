"""What an engine of T2 is given, what it promises, and what may go wrong."""

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Protocol

from lab_kit.ports import Ports as CommonPorts


class Priority(IntEnum):
    """How urgent a record is; the smaller goes first."""

    CRITICAL = 0
    ERROR = 1
    REST = 2


class Policy(StrEnum):
    """What happens to records that a source sends faster than it may."""

    WAIT = "wait"
    SAMPLE = "sample"
    DROP = "drop"


class Reason(StrEnum):
    """Why records were dropped: beyond the rate; beyond the rate, and not in the sample."""

    RATE = "rate"
    SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one source and one priority that travel together: `records` lines, each ending in a newline.

    `replayable`: the source gives these records again unless it hears that they have ended.
    """

    source: str
    priority: Priority
    payload: bytes
    records: int
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    replayable: bool = False

    def lines(self) -> list[bytes]:
        """The records, without their newlines."""
        return self.payload.split(b"\n")[:-1]

    def holding(self, lines: Sequence[bytes]) -> "Batch":
        """This batch with only `lines`."""
        return replace(self, payload=b"".join(line + b"\n" for line in lines), records=len(lines))


@dataclass(frozen=True, slots=True)
class Receipt:
    """How the records of one submitted batch have ended, when all have."""

    batch_id: str
    written: int = 0
    dropped: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Ledger:
    """Records, at one instant. Each accepted one is in exactly one of the other places."""

    accepted: int = 0
    written: int = 0
    dropped: Mapping[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    dead: int = 0
    in_flight: int = 0

    @property
    def balanced(self) -> bool:
        return self.accepted == self.written + sum(self.dropped.values()) + self.dead + self.in_flight


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of an engine, consistent in itself. Records; bytes; `age` of the oldest that waits, in seconds.

    `failing` is what the sink said last, while it takes nothing.
    """

    ledger: Ledger = field(default_factory=Ledger)
    accepted: Mapping[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    written: Mapping[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    waiting: Mapping[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    bytes: int = 0
    age: float = 0.0
    consumers: int = 0
    busy: int = 0
    retries: int = 0
    failing: str | None = None


def _policies() -> Mapping[Priority, Policy]:
    return {Priority.CRITICAL: Policy.WAIT, Priority.ERROR: Policy.WAIT, Priority.REST: Policy.SAMPLE}


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds an engine keeps. `records` and `bytes` bound what is in flight: waiting, or being written.

    A consumer takes what waits as soon as that is `batch_bytes`, or the oldest of it `linger` seconds old. Each
    source may send `burst` records at once and `rate` a second. Records of a priority are served as if they
    had come `aging` seconds later than those of the next higher one: so nothing starves.
    """

    records: int = 200_000
    bytes: int = 64 * 1024 * 1024
    consumers: int = 1
    max_consumers: int = 8
    aging: float = 5.0
    batch_bytes: int = 1024 * 1024
    linger: float = 0.05
    rate: float = math.inf
    burst: int = 10_000
    policies: Mapping[Priority, Policy] = field(default_factory=_policies)
    sample: int = 10
    attempts: int = 3
    retry_base: float = 0.1
    retry_cap: float = 5.0

    def __post_init__(self) -> None:
        if self.policies[Priority.CRITICAL] is not Policy.WAIT:
            given = self.policies[Priority.CRITICAL]
            raise ValueError(f"critical records are never dropped: their policy is wait, not {given}")


class PipelineError(Exception):
    """Anything this engine reports; the text is for people."""


class TooLarge(PipelineError):
    """The batch can never fit into the bounds; nothing was accepted."""


class Busy(PipelineError):
    """There was no room, or no right to send, for as long as the caller would wait; nothing was accepted."""


class Closed(PipelineError):
    """The engine is stopping; nothing was accepted."""


class SinkFailed(PipelineError):
    """The sink takes nothing just now, whatever the records: the disk is full, the permission lost."""


class Rejected(PipelineError):
    """The sink does not take these records; others it would. Of several, one may be the culprit."""


class Sink(Protocol):
    """Where records go. Safe from any thread."""

    def write(self, batches: Sequence[Batch]) -> None:
        """Make all of it durable, or nothing of it. Raises `SinkFailed`, `Rejected`."""

    def bury(self, batch: Batch, why: str) -> None:
        """Make it durable where people look for what could not be written. Raises `SinkFailed`."""

    def abort(self) -> None:
        """Make every call in another thread, and every later one, raise `SinkFailed` at once."""


def _nothing(receipt: Receipt) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports(CommonPorts):
    """What T2 engines get: the common ports, the sink, and whom to tell that a batch has ended.

    `finished` is called once for each submitted batch whose records have all ended, from any thread, with no
    lock held, before `stop` returns. It never raises.
    """

    sink: Sink
    finished: Callable[[Receipt], None] = _nothing


class LogPipeline(Protocol):
    """The engine. Every method may be called from any thread; none but `submit` and `stop` blocks.

    Guarantees, under every schedule: a record that was accepted is written, dropped for a reason, dead, or
    returned by `stop`, and the ledger says so at every instant; critical records are never dropped; what is in
    flight never exceeds the bounds; `written` counts only what is durable.
    """

    def __init__(self, ports: Ports, limits: Limits) -> None: ...

    def start(self, batches: Sequence[Batch]) -> None:
        """Begin, first with what an earlier engine or life left: accepted once, so no bound or rate applies."""

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        """Accept `batch`; wait at most `patience` seconds until there is room and its source may send.

        Those who wait for room come in by the same order and aging as they are served. Raises `TooLarge`, `Busy`,
        `Closed`.
        """

    def scale(self, consumers: int) -> None:
        """Have `consumers` of them from now on, at least 1 and at most `limits.max_consumers`."""

    def stats(self) -> Stats: ...

    def stop(self, deadline: float) -> Sequence[Batch]:
        """Accept nothing more, write for at most `deadline` seconds, return what is left, the oldest first.

        Whoever waits in `submit` gets `Closed`. A sink that hangs is aborted at the deadline.
        """
