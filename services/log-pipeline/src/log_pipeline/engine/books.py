"""Who has what: every record that was accepted, counted once, wherever it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from log_pipeline.contract import Batch, Ledger, Priority, Reason, Receipt


@dataclass(slots=True, eq=False)
class Origin:
    """A batch as it was submitted, and how its records have ended so far."""

    batch: Batch
    written: int = 0
    dropped: int = 0
    dead: int = 0

    @property
    def receipt(self) -> Receipt | None:
        """None while records of it are in flight."""
        ended = self.written + self.dropped + self.dead
        if ended < self.batch.records:
            return None
        return Receipt(self.batch.id, self.written, self.dropped, self.dead)


@dataclass(slots=True, eq=False)
class Parcel:
    """Records of one batch on their way, all in one place. `number` is the order of acceptance."""

    origin: Origin
    batch: Batch
    since: float
    number: int

    def halves(self) -> "list[Parcel]":
        """The same records in two parcels; a single record cannot be halved."""
        lines, middle = self.batch.lines(), self.batch.records // 2
        parts = [part for part in (lines[:middle], lines[middle:]) if part]
        return [Parcel(self.origin, self.batch.holding(part), self.since, self.number) for part in parts]


@dataclass(slots=True)
class Books:
    """The counters behind the ledger. Not safe by itself: every call needs the lock of the flow."""

    accepted: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    written: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    dropped: dict[Reason, int] = field(default_factory=lambda: dict.fromkeys(Reason, 0))
    dead: int = 0
    in_flight: int = 0
    bytes: int = 0

    def enter(self, parcel: Parcel) -> None:
        """Accepted, and in flight."""
        self.accepted[parcel.batch.priority] += parcel.batch.records
        self.in_flight += parcel.batch.records
        self.bytes += len(parcel.batch.payload)

    def drop(self, origin: Origin, count: int, reason: Reason) -> None:
        """Accepted, and dropped at once: never in flight."""
        self.accepted[origin.batch.priority] += count
        self.dropped[reason] += count
        origin.dropped += count

    def write(self, parcel: Parcel) -> None:
        """From in flight to written."""
        self._leave(parcel)
        self.written[parcel.batch.priority] += parcel.batch.records
        parcel.origin.written += parcel.batch.records

    def bury(self, parcel: Parcel) -> None:
        """From in flight to dead."""
        self._leave(parcel)
        self.dead += parcel.batch.records
        parcel.origin.dead += parcel.batch.records

    def ledger(self) -> Ledger:
        accepted, written = sum(self.accepted.values()), sum(self.written.values())
        return Ledger(accepted, written, dict(self.dropped), self.dead, self.in_flight)

    def _leave(self, parcel: Parcel) -> None:
        self.in_flight -= parcel.batch.records
        self.bytes -= len(parcel.batch.payload)


def rest(parcels: Sequence[Parcel]) -> list[Batch]:
    """What is left of each batch, as one, the oldest first."""
    parts: dict[Origin, list[Parcel]] = {}
    for parcel in sorted(parcels, key=lambda one: one.number):
        parts.setdefault(parcel.origin, []).append(parcel)
    return [
        origin.batch.holding([line for part in left for line in part.batch.lines()])
        for origin, left in parts.items()
    ]
