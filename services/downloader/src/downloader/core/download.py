"""One download as a state machine."""

from dataclasses import dataclass, field
from random import Random
from typing import Protocol
from urllib.parse import urlsplit

from downloader.contract import (
    ChecksumMismatch,
    ContentChanged,
    Job,
    Limits,
    PartFile,
    Response,
    State,
    Status,
    StorageFailed,
    TransferError,
)
from downloader.core.http import Asked, DateNeeded, Offer, RangesUnusable, Validator
from downloader.core.plan import SMALLEST_BLOCK, Block, Plan, block_size
from downloader.core.rate import Rate
from downloader.core.retry import Backoff


class Digest(Protocol):
    """A running hash."""

    def update(self, data: memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True, eq=False)
class Version:
    """One version of the file and the part file it goes to, open while there are `holders`."""

    plan: Plan
    validator: Validator
    file: PartFile
    digest: Digest
    ranged: bool
    holders: int = 0
    hashed: int = 0
    hashing: bool = False
    saving: bool = False
    saved: int = 0
    saved_at: float = 0.0

    def save_due(self, now: float) -> bool:
        """Whether a crash now would cost more than a fiftieth of what is here, or a second."""
        unsaved = self.plan.received - self.saved
        much = unsaved >= max(SMALLEST_BLOCK, self.plan.received // 50)
        return not self.saving and (much or (unsaved > 0 and now - self.saved_at >= 1.0))


@dataclass(slots=True, eq=False)
class Lease:
    """One worker's hold on a download: the block it fetches, of the version it belongs to."""

    download: "Download"
    version: Version | None = None
    block: Block | None = None
    response: Response | None = None
    revoked: bool = False


@dataclass(slots=True, eq=False)
class Download:
    """Everything known of one job. No method blocks, reads a clock, or locks: the engine's lock is required.

    A download without leases has no open file: what it goes on with is its checkpoint.
    """

    job: Job
    order: int
    limits: Limits
    random: Random
    host: str = ""
    version: Version | None = None
    leases: set[Lease] = field(default_factory=set)
    outstanding: int = 0
    preparing: bool = False
    publishing: bool = False
    unwanted: bool = False
    discarded: bool = False
    whole: bool = False
    by_date: bool = False
    mismatched: bool = False
    paused: bool = False
    end: State | None = None
    error: str | None = None
    sha256: str | None = None
    hold_until: float = 0.0
    received: int = 0
    total: int | None = None
    high_water: int = 0
    restarts: int = 0
    backoff: Backoff = field(default_factory=Backoff)
    rate: Rate = field(default_factory=Rate)

    def __post_init__(self) -> None:
        self.host = urlsplit(self.job.url).netloc.lower()
        self.paused = self.job.paused

    @property
    def hashes(self) -> bool:
        return self.limits.checksum or self.job.sha256 is not None

    def wants_worker(self, now: float) -> bool:
        """Whether one more worker could do something useful for it now."""
        if self.end or self.paused or self.preparing or self.publishing or now < self.hold_until:
            return False
        if self.version is None:
            return self.outstanding == 0
        return self.version.plan.has_missing and len(self.leases) < self.limits.per_download

    def lease(self) -> Lease:
        """Hand out the next block, or, with no version at hand, the task of finding out what to do."""
        lease = Lease(self, self.version)
        if self.version is None:
            self.preparing = True
        else:
            lease.block = self.version.plan.take()
            self.version.holders += 1
        self.leases.add(lease)
        self.outstanding += 1
        return lease

    def adopt(self, lease: Lease, version: Version, asked_end: int | None) -> None:
        """The first lease found out what the file is: from here on others can help."""
        lease.version, self.version = version, version
        version.holders += 1
        self.received, self.total = version.plan.received, version.plan.total
        self.preparing = False
        lease.block = version.plan.take()
        if lease.block and asked_end is not None and not lease.revoked:
            version.plan.cut(lease.block, min(asked_end, lease.block.end or asked_end))
        if lease.block and lease.revoked:
            version.plan.give_back(lease.block)

    def asks(self, lease: Lease, probe: int) -> Asked:
        """What to ask the server for on behalf of `lease`."""
        if lease.version is None or lease.block is None:
            return Asked(0, probe, None, self.whole)
        block, known = lease.block, lease.version.validator
        if self.whole and block.position:
            raise RangesUnusable("without ranges, what was interrupted starts over")
        return Asked(block.position, block.end, known, self.whole, self.by_date)

    def plan_for(self, offer: Offer) -> Plan:
        """How to fetch the file of `offer`: in parallel only where ranges can be joined safely."""
        total = offer.validator.total
        if not offer.ranged:
            self.whole = True
            return Plan(total, total or 1)
        joins = offer.end != total
        if total is None or (joins and not offer.validator.resumable):
            raise RangesUnusable("nothing identifies the version of the file: its ranges cannot be joined")
        return Plan(total, block_size(total, self.limits.per_download))

    def advance(self, lease: Lease, count: int, now: float) -> None:
        """`count` bytes of the lease's block were written."""
        version, block = lease.version, lease.block
        assert version is not None
        assert block is not None
        version.plan.advance(block, count)
        self.received = version.plan.received
        self.rate.add(count, now)
        if self.received > self.high_water:
            self.high_water = self.received
            self.backoff.progressed()

    def hold(self) -> Lease:
        """A lease for work beside the transfers: hashing, or putting the file away."""
        lease = Lease(self, self.version)
        if self.version:
            self.version.holders += 1
        self.outstanding += 1
        return lease

    def release(self, lease: Lease) -> None:
        """The worker is done with its lease, whatever came of it."""
        if lease in self.leases:
            self.revoke(lease)
        if lease.version is None:
            self.preparing = False
        else:
            lease.version.holders -= 1
        self.outstanding -= 1

    def detach(self, now: float) -> Version | None:
        """The version to put away, if no worker has it open and none is about to."""
        version = self.version
        if version is None or version.holders or self.wants_worker(now):
            return None
        self.version = None
        return version

    def revoke(self, lease: Lease) -> None:
        """Take back what `lease` has not fetched; its worker will notice."""
        if lease.version and lease.block:
            lease.version.plan.give_back(lease.block)
        self.leases.discard(lease)
        lease.revoked = True

    def revoke_all(self) -> list[Response]:
        """Take back every lease; returns the answers to abort, once the lock is released."""
        leases = list(self.leases)
        for lease in leases:
            self.revoke(lease)
        return [lease.response for lease in leases if lease.response]

    def failed(self, error: TransferError, now: float) -> float | None:
        """Decide what `error` means. Seconds after which to try again, or None: it has failed for good."""
        again = isinstance(error, ChecksumMismatch) and not self.mismatched
        self.mismatched = self.mismatched or again
        if self.whole or isinstance(error, (ContentChanged, RangesUnusable, ChecksumMismatch)):
            self.start_over(whole=isinstance(error, RangesUnusable))
        if isinstance(error, DateNeeded):
            self.by_date = True
        delay = self.backoff.delay(error, self.limits, self.random)
        if delay is None or (isinstance(error, ChecksumMismatch) and not again):
            self.end, self.error = State.FAILED, str(error)
            self.unwanted = isinstance(error, StorageFailed)
            return None
        free = isinstance(error, (DateNeeded, RangesUnusable))
        self.hold_until = max(self.hold_until, now if free else now + delay)
        return self.hold_until - now

    def begin_publishing(self, lease: Lease) -> bool:
        """Claim the task of publishing; True for exactly one lease of a version that is whole."""
        version = self.version
        if version is None or lease.version is not version or self.end or self.paused:
            return False
        if not version.plan.complete or version.hashing or self.publishing:
            return False
        self.publishing = True
        return True

    def try_again(self) -> None:
        """A failed download begins another series of attempts, with what is here."""
        self.end, self.error, self.hold_until = None, None, 0.0
        self.unwanted = self.discarded = self.mismatched = False
        self.backoff = Backoff()

    def start_over(self, *, whole: bool) -> None:
        """Forget the version at hand. Its other workers write to a part file that nobody will publish."""
        for lease in list(self.leases):
            self.revoke(lease)
        if self.received:
            self.restarts += 1
        self.whole = self.whole or whole
        self.version, self.received, self.total = None, 0, None

    def state(self, now: float) -> State:
        """The state, derived from the facts, so that the two cannot disagree."""
        if self.end:
            return self.end
        if self.paused:
            return State.PAUSED
        if self.outstanding:
            return State.ACTIVE
        return State.RETRYING if now < self.hold_until else State.QUEUED

    def status(self, now: float) -> Status:
        rate = 0.0 if self.end else self.rate.value(now)
        left = None if self.total is None else self.total - self.received
        eta = left / rate if left is not None and rate > 0 else None
        return Status(self.job, self.state(now), self.received, self.total, rate, eta, self.backoff.count,
                      self.restarts, self.sha256, self.error)  # fmt: skip
