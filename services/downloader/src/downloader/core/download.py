"""One download as a state machine."""

from dataclasses import dataclass, field
from random import Random

from downloader.contract import (
    ChecksumMismatch,
    ContentChanged,
    HttpError,
    Job,
    Limits,
    Response,
    State,
    Status,
    StorageFailed,
    TransferError,
)
from downloader.core.http import Asked, DateNeeded, Offer, RangesUnusable
from downloader.core.plan import Plan, block_size
from downloader.core.rate import Rate
from downloader.core.retry import Backoff
from downloader.core.version import Lease, Version, Whole

TRUSTED_CHANGES = 2
"""A file that changes more often under its ranges is fetched whole, over one connection."""


@dataclass(slots=True, eq=False)
class Download:
    """Everything known of one job. No method blocks, reads a clock, or locks: the engine's lock is required.

    At rest (`live` is false) it has no open file: what it goes on with is its checkpoint.
    """

    job: Job
    order: int
    limits: Limits
    random: Random
    host: str = ""
    version: Version | None = None
    parked: Version | None = None
    leases: set[Lease] = field(default_factory=set)
    connections: int = 0
    outstanding: int = 0
    preparing: bool = False
    publishing: bool = False
    unwanted: bool = False
    discarded: bool = False
    stored: bool = False
    told: bool = False
    whole: bool = False
    fresh: bool = False
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
        self.paused = self.job.paused
        self.connections = self.limits.per_download

    @property
    def hashes(self) -> bool:
        return self.limits.checksum or self.job.sha256 is not None

    @property
    def live(self) -> bool:
        """Whether a worker, an open file, or owed I/O is still to be seen to."""
        return self.outstanding > 0 or self.version is not None

    @property
    def pending(self) -> bool:
        """Whether it will go on by itself."""
        return self.end is None and not self.paused

    def wants_worker(self, now: float) -> bool:
        """Whether one more worker could do something useful for it now."""
        if not self.pending or self.preparing or self.publishing or now < self.hold_until:
            return False
        if self.version is None:
            return self.outstanding == 0
        return self.version.plan.has_missing and len(self.leases) < self.connections

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

    def hold(self, version: Version) -> Lease:
        """A lease for hashing, beside those for the transfers."""
        version.holders += 1
        self.outstanding += 1
        return Lease(self, version, idle=False)

    def adopt(self, lease: Lease, version: Version, asked_end: int | None, *, resumed: bool) -> None:
        """The first lease found out what the file is: from here on others can help."""
        if resumed and self.parked and version.continues(self.parked):
            version.digest, version.hashed = self.parked.digest, self.parked.hashed
        lease.version = self.version = version
        version.holders += 1
        self.restarts += version.plan.received < self.received
        self.received, self.total = version.plan.received, version.plan.total
        self.parked, self.fresh, self.preparing = None, False, False
        self.connections = self.limits.per_download
        lease.block = version.plan.take()
        if lease.block and asked_end is not None:
            version.plan.cut(lease.block, min(asked_end, lease.block.end or asked_end))
        if lease.block and lease.revoked:
            version.plan.give_back(lease.block)

    def arrive(self, whole: Whole, now: float) -> None:
        """The end of a download that needed no version."""
        self.restarts += self.received > 0
        self.received = self.total = whole.size
        self.rate.add(whole.size, now)
        self.parked, self.sha256, self.end = None, whole.sha256, State.DONE

    def asks(self, lease: Lease, probe: int) -> Asked:
        """What to ask the server for on behalf of `lease`."""
        if lease.version is None or lease.block is None:
            return Asked(0, probe, None, self.whole)
        block, known = lease.block, lease.version.validator
        if block.position and (self.whole or not known.resumable):
            raise RangesUnusable(
                "what was interrupted starts over: nothing says that the rest is of the same file"
            )
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

    def release(self, lease: Lease) -> None:
        """The worker is done with its lease, whatever came of it."""
        lease.idle = True
        if lease in self.leases:
            self.revoke(lease)
        elif not lease.released:
            self._let_go(lease)

    def revoke(self, lease: Lease) -> None:
        """Take back what `lease` has not fetched; its worker will notice."""
        if lease.version and lease.block:
            lease.version.plan.give_back(lease.block)
        self.leases.discard(lease)
        lease.revoked = True
        if lease.idle:
            self._let_go(lease)

    def _let_go(self, lease: Lease) -> None:
        lease.released = True
        self.outstanding -= 1
        if lease.version is None:
            self.preparing = False
        else:
            lease.version.holders -= 1

    def revoke_all(self) -> list[Response]:
        """Take back every lease; returns the answers to abort, once the lock is released."""
        leases = list(self.leases)
        for lease in leases:
            self.revoke(lease)
        return [lease.response for lease in leases if lease.response]

    def detach(self) -> Version | None:
        """The version to put away, if no worker has it open."""
        version = self.version
        if version is None or version.holders:
            return None
        self.parked, self.version = None if self.end else version, None
        return version

    def failed(self, error: TransferError, now: float) -> float | None:
        """Decide what `error` means. Seconds after which to try again, or None: it has failed for good."""
        again = isinstance(error, ChecksumMismatch) and not self.mismatched
        self.mismatched = self.mismatched or again
        if self.whole or isinstance(error, (ContentChanged, RangesUnusable, ChecksumMismatch)):
            self.start_over(whole=self._distrusts_ranges(error))
        if isinstance(error, DateNeeded):
            self.by_date = True
        if isinstance(error, HttpError) and len(self.leases) > 1:
            self.connections = len(self.leases) - 1  # the server may bound connections: do with those it gave
        delay = self.backoff.delay(error, self.limits, self.random)
        if delay is None or (isinstance(error, ChecksumMismatch) and not again):
            self.fail(error)
            return None
        free = isinstance(error, (DateNeeded, RangesUnusable))
        self.hold_until = max(self.hold_until, now if free else now + delay)
        return self.hold_until - now

    def _distrusts_ranges(self, error: TransferError) -> bool:
        changes = isinstance(error, ContentChanged) and self.restarts >= TRUSTED_CHANGES
        return changes or isinstance(error, RangesUnusable)

    def fail(self, error: TransferError) -> None:
        """The end; what is here is kept only if it is worth going on with."""
        self.end, self.error = State.FAILED, self.backoff.explain(error, self.limits)
        self.unwanted = self.whole or isinstance(error, (StorageFailed, ChecksumMismatch))

    def whole_alone(self, lease: Lease) -> bool:
        """Whether every byte is here and nobody but `lease` has the file open, so that it has to finish it."""
        version = self.version
        if version is None or lease.version is not version or not self.pending:
            return False
        return version.plan.complete and version.holders == 1 and not lease.released

    def begin_publishing(self, lease: Lease) -> bool:
        """Claim the task of publishing; from here on nothing can interrupt it."""
        assert self.version is not None
        hashed = not self.hashes or self.version.hashed == self.version.plan.received
        self.publishing = hashed
        return hashed

    def try_again(self) -> None:
        """A failed download begins another series of attempts, with what is here."""
        self.end, self.error, self.hold_until = None, None, 0.0
        self.unwanted = self.discarded = self.mismatched = self.told = False
        self.backoff = Backoff()

    def start_over(self, *, whole: bool) -> None:
        """Forget the version at hand. Its other workers write to a part file that nobody will publish."""
        for lease in list(self.leases):
            self.revoke(lease)
        self.restarts += self.received > 0
        self.whole, self.fresh = self.whole or whole, True
        self.version, self.parked, self.received, self.total = None, None, 0, None

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
