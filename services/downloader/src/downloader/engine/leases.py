"""What the workers do with their leases, as transitions behind the one lock.

Each method takes the lock, changes the state, and returns what the worker has to do next. Those that a worker
calls with a lease that was taken back raise `Revoked`.
"""

from downloader.contract import Response, State, TransferError
from downloader.core.checkpoint import Checkpoint
from downloader.core.download import Download
from downloader.core.http import Asked, Offer
from downloader.core.plan import Plan
from downloader.core.version import Lease, Version, Whole
from downloader.engine.books import Books
from downloader.engine.owed import Aftermath, Chores, Owed, Revoked

HASH_STEP = 4 * 1024 * 1024
FIRST_REQUEST = 1024 * 1024


class Leases:
    """Safe from any thread."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def begin(self, lease: Lease) -> bool:
        """The worker's task has begun; whether to look on the disk for what an earlier life, or a pause, left."""
        with self._books.lock:
            _check(lease)
            lease.idle = False
            return lease.version is None and not lease.download.fresh and not lease.download.whole

    def asks(self, lease: Lease) -> Asked | None:
        """What to request for `lease`, which is idle until the answer is here; None when every byte is."""
        with self._books.lock:
            _check(lease)
            if lease.version and not lease.block:
                return None
            asked = lease.download.asks(lease, FIRST_REQUEST)
            lease.idle = True
            return asked

    def attach(self, lease: Lease, response: Response) -> None:
        """From now on, whoever revokes `lease` also aborts `response`."""
        with self._books.lock:
            _check(lease)
            lease.response, lease.idle = response, False

    def claim(self, lease: Lease) -> bool:
        """Whether the caller, who has the whole file in hand, shall publish it; then nothing can stop that. Not
        beside a checkpoint: a crash must not find that of other bytes beside the new file."""
        with self._books.lock:
            _check(lease)
            lease.download.publishing = not lease.download.stored
            return lease.download.publishing

    def plan(self, lease: Lease, offer: Offer) -> Plan:
        with self._books.lock:
            _check(lease)
            return lease.download.plan_for(offer)

    def adopt(self, lease: Lease, version: Version, end: int | None, *, resumed: bool) -> None:
        with self._books.lock:
            download = lease.download
            version.saved_at = self._books.now()
            if resumed:
                version.saved, download.stored = version.plan.received, True
                self._books.totals.resumed += max(0, version.saved - download.received)
            download.adopt(lease, version, end, resumed=resumed)
            self._books.note(download)
            _check(lease)

    def narrow(self, lease: Lease, offer: Offer) -> None:
        """The server gave a shorter range than was asked for: others fetch the rest."""
        with self._books.lock:
            _check(lease)
            assert lease.version is not None
            assert lease.block is not None
            if offer.ranged and offer.end is not None:
                lease.version.plan.cut(lease.block, offer.end)
                self._books.schedule.offer(lease.download)

    def commit(self, lease: Lease, count: int) -> Chores:
        """Count bytes that were written. The only place where progress is made."""
        with self._books.lock:
            _check(lease)
            now, version = self._books.now(), lease.version
            assert version is not None
            lease.download.advance(lease, count, now)
            self._books.totals.add(count, now)
            save = version.save_due(now)
            version.saving = version.saving or save
            return Chores(_hasher(lease.download, version), save)

    def ended(self, lease: Lease) -> None:
        """A body of unknown length came to its end."""
        with self._books.lock:
            _check(lease)
            assert lease.version is not None
            assert lease.block is not None
            lease.version.plan.finish(lease.block)
            lease.download.total = lease.version.plan.total

    def snapshot(self, download: Download, version: Version, boot: str, *, synced: bool) -> Checkpoint:
        """What is here now, as it can be gone on with."""
        with self._books.lock:
            version.saved, version.saved_at = version.plan.received, self._books.now()
            download.stored = True
            return Checkpoint(download.job.url, version.validator, version.plan.here(), boot, synced)

    def saved(self, version: Version) -> None:
        with self._books.lock:
            version.saving = False

    def to_hash(self, lease: Lease, hashed: int) -> tuple[int, int]:
        """The next bytes to hash, from and to; when there are none, the caller is no longer the hasher."""
        with self._books.lock:
            version, download = lease.version, lease.download
            assert version is not None
            version.hashed = hashed
            goes_on = version is download.version and download.pending and not self._books.schedule.closed
            end = min(version.plan.frontier, hashed + HASH_STEP) if goes_on else hashed
            version.hashing = hashed < end
            return hashed, end

    def begin_publishing(self, lease: Lease) -> bool:
        """Whether the caller, who must finish the file, shall publish it now; then nothing can stop that."""
        with self._books.lock:
            return lease.download.whole_alone(lease) and lease.download.begin_publishing(lease)

    def published(self, lease: Lease, sha256: str | None) -> None:
        """The file is under its name. Nobody else has it open any more: the caller closes it."""
        with self._books.lock:
            download = lease.download
            download.sha256, download.end = sha256, State.DONE
            download.version = lease.version = None
            self._books.note(download)

    def leave(self, lease: Lease, error: TransferError | None, *, worker: bool) -> Aftermath | None:
        """A worker or hasher is done with its lease, whatever came of it. None: as the last one, it has to
        finish the file first, and then to leave again."""
        with self._books.lock:
            if error is None and not self._books.schedule.closed and lease.download.whole_alone(lease):
                return None
            if worker:
                self._books.schedule.done(lease)
            if lease.released:
                self._books.changed.notify_all()
                return Aftermath()
            lease.download.publishing = False
            if lease.brought:
                self._arrived(lease, lease.brought)
            retry_in, aborted = self._fail(lease, error) if error else (None, [])
            lease.download.release(lease)
            return self._books.settle(lease.download, lease.version, aborted, retry_in)

    def tidied(self, owed: Owed) -> Aftermath:
        """The owed I/O is done; returns what became due meanwhile."""
        with self._books.lock:
            owed.download.outstanding -= 1
            return self._books.settle(owed.download)

    def told(self) -> None:
        """The news of an end has been passed on."""
        with self._books.lock:
            self._books.telling -= 1
            self._books.changed.notify_all()

    def _arrived(self, lease: Lease, whole: Whole) -> None:
        """Requires holding the lock."""
        now = self._books.now()
        lease.download.arrive(whole, now)
        self._books.totals.add(whole.size, now)

    def _fail(self, lease: Lease, error: TransferError) -> tuple[float | None, list[Response]]:
        """Requires holding the lock. When to retry, and the answers that nobody wants any more."""
        download = lease.download
        if lease.revoked or download.end or lease.version is not download.version:
            return None, []
        others = download.leases - {lease}
        retry_in = download.failed(error, self._books.now())
        self._books.totals.retries[error.reason] += retry_in is not None
        if download.end:
            download.revoke_all()
        return retry_in, [other.response for other in others if other.revoked and other.response]


def _check(lease: Lease) -> None:
    if lease.revoked:
        raise Revoked


def _hasher(download: Download, version: Version) -> Lease | None:
    behind = version.plan.frontier - version.hashed
    if not download.hashes or version.hashing or behind < HASH_STEP:
        return None
    version.hashing = True
    return download.hold(version)
