"""Everything the threads share, behind one lock.

Each method is one transition: it takes the lock, changes the state, and returns the I/O that is owed. Nothing
here waits for anything but the lock, except the two methods that say so.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import cast

from downloader.contract import (
    Busy,
    Conflict,
    Job,
    Limits,
    Response,
    State,
    Stats,
    Status,
    TransferError,
    UnknownJob,
)
from downloader.core.checkpoint import Checkpoint
from downloader.core.download import Download, Lease, Version
from downloader.core.http import Asked, Offer
from downloader.core.plan import Plan
from downloader.core.rate import Rate
from downloader.core.schedule import Schedule
from downloader.engine.owed import Aftermath, Chores, Interruption, Owed, Revoked
from lab_kit.ports import Lock

HASH_STEP = 4 * 1024 * 1024
FIRST_REQUEST = 1024 * 1024


class Ledger:
    """The downloads, the schedule and the counters. Safe from any thread."""

    def __init__(self, lock: Lock, limits: Limits, random: Random, now: Callable[[], float]) -> None:
        self._downloads_lock = lock
        self._changed = threading.Condition(cast(threading.Lock, lock))
        self._limits, self._random, self._now = limits, random, now
        self._downloads: dict[str, Download] = {}
        self._destinations: set[str] = set()
        self._schedule = Schedule(limits)
        self._accepting = True
        self._order = self._bytes_received = self._bytes_resumed = 0
        self._retries: Counter[str] = Counter()
        self._restarts = 0
        self._rate = Rate()

    # What users of the engine ask for.

    def add(self, job: Job) -> None:
        with self._downloads_lock:
            self._admit()
            if job.id in self._downloads:
                raise Conflict(f"there is a download {job.id!r} already")
            if job.destination in self._destinations:
                raise Conflict(f"another download already goes to {job.destination!r}")
            self._order += 1
            download = Download(job, self._order, self._limits, self._random)
            self._downloads[job.id] = download
            self._destinations.add(job.destination)
            self._schedule.offer(download)

    def pause(self, job_id: str) -> Interruption:
        with self._downloads_lock:
            download = self._interruptible(job_id)
            download.paused = True
            return self._interrupt(download)

    def resume(self, job_id: str) -> None:
        with self._downloads_lock:
            download = self._find(job_id)
            if download.end is State.FAILED:
                self._admit()
                download.try_again()
            elif download.end:
                raise Conflict(f"download {job_id!r} is {download.end}: there is nothing to resume")
            download.paused = False
            self._schedule.offer(download)

    def cancel(self, job_id: str) -> Interruption:
        with self._changed:
            download = self._interruptible(job_id)
            download.end, download.unwanted = State.CANCELLED, True
            self._changed.notify_all()
            return self._interrupt(download)

    def forget(self, job_id: str) -> None:
        with self._downloads_lock:
            download = self._find(job_id)
            if not download.end or download.outstanding:
                raise Conflict(f"download {job_id!r} is not finished: cancel it first")
            del self._downloads[job_id]
            self._destinations.discard(download.job.destination)

    def status(self, job_id: str) -> Status:
        with self._downloads_lock:
            return self._find(job_id).status(self._now())

    def wait(self, job_id: str, timeout: float | None) -> Status:
        """Waits for the download to be final and for its last worker to have left."""
        with self._changed:
            download = self._find(job_id)
            self._changed.wait_for(lambda: download.end and not download.outstanding, timeout)
            return download.status(self._now())

    def stats(self) -> Stats:
        with self._downloads_lock:
            now = self._now()
            states = Counter(download.state(now) for download in self._downloads.values())
            return Stats(
                {state: states[state] for state in State},
                self._bytes_received,
                self._bytes_resumed,
                dict(self._retries),
                self._restarts,
                self._rate.value(now),
                self._limits.workers,
                self._schedule.busy,
            )

    # What workers do.

    def take(self) -> list[Lease]:
        """Leases for all the workers that are free now."""
        with self._downloads_lock:
            now, leases = self._now(), []
            while lease := self._schedule.take(now):
                leases.append(lease)
            return leases

    def asks(self, lease: Lease) -> Asked | None:
        """What to request for `lease`; None when every byte is here already."""
        with self._downloads_lock:
            self._check(lease)
            if lease.version and not lease.block:
                return None
            return lease.download.asks(lease, FIRST_REQUEST)

    def attach(self, lease: Lease, response: Response) -> None:
        """From now on, whoever revokes `lease` also aborts `response`."""
        with self._downloads_lock:
            self._check(lease)
            lease.response = response

    def plan(self, lease: Lease, offer: Offer) -> Plan:
        with self._downloads_lock:
            self._check(lease)
            return lease.download.plan_for(offer)

    def adopt(self, lease: Lease, version: Version, end: int | None, *, resumed: bool) -> None:
        with self._downloads_lock:
            lease.download.adopt(lease, version, end)
            if resumed:
                version.saved = version.plan.received
                self._bytes_resumed += version.saved
            self._schedule.offer(lease.download)
            self._check(lease)

    def narrow(self, lease: Lease, offer: Offer) -> None:
        """The server gave a shorter range than was asked for: others fetch the rest."""
        with self._downloads_lock:
            self._check(lease)
            assert lease.version is not None
            assert lease.block is not None
            if offer.ranged and offer.end is not None:
                lease.version.plan.cut(lease.block, offer.end)
                self._schedule.offer(lease.download)

    def commit(self, lease: Lease, count: int) -> Chores:
        """Count bytes that were written. The only place where progress is made."""
        with self._downloads_lock:
            self._check(lease)
            now, version = self._now(), lease.version
            assert version is not None
            lease.download.advance(lease, count, now)
            self._bytes_received += count
            self._rate.add(count, now)
            save = version.save_due(now)
            version.saving = version.saving or save
            return Chores(self._hasher(lease.download, version), save)

    def ended(self, lease: Lease) -> None:
        """A body of unknown length came to its end."""
        with self._downloads_lock:
            self._check(lease)
            assert lease.version is not None
            assert lease.block is not None
            lease.version.plan.finish(lease.block)
            lease.download.total = lease.version.plan.total

    def snapshot(self, download: Download, version: Version, boot: str, *, synced: bool) -> Checkpoint:
        """What is here now, as it can be gone on with."""
        with self._downloads_lock:
            version.saved, version.saved_at = version.plan.received, self._now()
            return Checkpoint(download.job.url, version.validator, version.plan.here(), boot, synced)

    def saved(self, version: Version) -> None:
        with self._downloads_lock:
            version.saving = False

    def to_hash(self, lease: Lease, hashed: int) -> tuple[int, int]:
        """The next bytes to hash, from and to; when there are none, the caller is no longer the hasher."""
        with self._downloads_lock:
            version = lease.version
            assert version is not None
            version.hashed = hashed
            end = version.plan.frontier if version is lease.download.version else hashed
            version.hashing = hashed < end
            return hashed, end

    def begin_publishing(self, lease: Lease) -> bool:
        """Whether the caller has to publish the file: everything is here, and nobody else sees to it."""
        with self._downloads_lock:
            return lease.download.begin_publishing(lease)

    def published(self, lease: Lease, sha256: str | None) -> Status:
        with self._changed:
            lease.download.sha256, lease.download.end = sha256, State.DONE
            self._changed.notify_all()
            return lease.download.status(self._now())

    def leave(self, lease: Lease, error: TransferError | None, *, worker: bool) -> Aftermath:
        """A worker or hasher is done with its lease, whatever came of it."""
        with self._changed:
            download = lease.download
            retry_in = self._fail(lease, error) if error else None
            if worker:
                self._schedule.done(lease)
            download.release(lease)
            failed = download.status(self._now()) if error and download.end is State.FAILED else None
            aftermath = Aftermath(self._owed(download, lease.version), failed, retry_in)
            self._schedule.offer(download)
            self._changed.notify_all()
            return aftermath

    def tidied(self, owed: Owed) -> Owed | None:
        """The owed I/O is done; returns what became due meanwhile."""
        with self._changed:
            owed.download.outstanding -= 1
            self._schedule.offer(owed.download)
            self._changed.notify_all()
            return self._owed(owed.download, None)

    def wake(self, download: Download) -> None:
        """The wait before a retry is over."""
        with self._downloads_lock:
            download.hold_until = self._now() if self._due(download) else download.hold_until
            self._schedule.offer(download)

    # The end of the engine.

    def close(self) -> None:
        """Accept nothing more."""
        with self._downloads_lock:
            self._accepting = False

    def wait_until_final(self) -> None:
        """Waits for every download to be final or paused."""
        with self._changed:
            self._changed.wait_for(lambda: all(one.end or one.paused for one in self._downloads.values()))

    def drain(self, timeout: float | None) -> None:
        """Start no download that has not begun, and wait for those that have, `timeout` seconds at most."""
        with self._changed:
            self._schedule.draining = True
            self._changed.wait_for(self._idle, timeout)

    def revoke_everything(self) -> list[Response]:
        with self._downloads_lock:
            self._schedule.closed = True
            return [answer for one in self._downloads.values() for answer in one.revoke_all()]

    def wait_until_idle(self) -> list[Owed]:
        """Waits for the last worker to leave; returns the I/O that none of them was there to do."""
        with self._changed:
            self._changed.wait_for(self._idle)
            return [owed for one in self._downloads.values() if (owed := self._owed(one, None))]

    def unfinished(self) -> list[Job]:
        with self._downloads_lock:
            return [replace(one.job, paused=one.paused) for one in self._downloads.values() if not one.end]

    # All below require holding the lock.

    def _admit(self) -> None:
        if not self._accepting:
            raise Busy("the engine is stopping: try again in a few seconds")
        if len(self._downloads) >= self._limits.jobs:
            raise Busy(f"{self._limits.jobs} downloads are known already: try again when some have finished")

    def _find(self, job_id: str) -> Download:
        if job_id not in self._downloads:
            raise UnknownJob(f"no download {job_id!r}")
        return self._downloads[job_id]

    def _interruptible(self, job_id: str) -> Download:
        download = self._find(job_id)
        if download.end or download.publishing:
            raise Conflict(f"download {job_id!r} is {download.end or 'just being finished'}")
        return download

    def _interrupt(self, download: Download) -> Interruption:
        responses = download.revoke_all()
        return Interruption(responses, self._owed(download, None), download.status(self._now()))

    def _idle(self) -> bool:
        return not any(download.outstanding for download in self._downloads.values())

    def _due(self, download: Download) -> bool:
        return download.hold_until - self._now() < 0.001

    def _check(self, lease: Lease) -> None:
        if lease.revoked:
            raise Revoked

    def _hasher(self, download: Download, version: Version) -> Lease | None:
        if not download.hashes or version.hashing or version.plan.frontier - version.hashed < HASH_STEP:
            return None
        version.hashing = True
        return download.hold()

    def _fail(self, lease: Lease, error: TransferError) -> float | None:
        download, restarts = lease.download, lease.download.restarts
        download.publishing = False
        stale = lease.version is not None and lease.version is not download.version
        if lease.revoked or download.end or stale:
            return None
        retry_in = download.failed(error, self._now())
        self._retries[error.reason] += retry_in is not None
        self._restarts += download.restarts - restarts
        return retry_in

    def _owed(self, download: Download, left: Version | None) -> Owed | None:
        stale = left is not None and left is not download.version and not left.holders
        version = left if stale else download.detach(self._now())
        discard = download.unwanted and not download.outstanding and not download.discarded
        if version is None and not discard:
            return None
        download.outstanding += 1
        download.discarded = download.discarded or discard
        return Owed(download, version, keep=not stale and _worth_keeping(download, version), discard=discard)


def _worth_keeping(download: Download, version: Version | None) -> bool:
    resumable = version is not None and version.ranged and version.validator.resumable
    return resumable and download.end in (None, State.FAILED) and not download.unwanted
