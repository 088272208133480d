"""What a worker does with a lease. No lock is held while it waits for the network or the disk."""

import hashlib
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from downloader.contract import (
    ChecksumMismatch,
    ConnectionLost,
    Job,
    Limits,
    PartFile,
    Ports,
    Response,
    StorageFailed,
    TransferError,
)
from downloader.core.checkpoint import decode
from downloader.core.http import Offer, Validator, interpret
from downloader.core.pace import Pace
from downloader.core.plan import Plan, block_size
from downloader.core.version import Lease, Version, Whole
from downloader.engine.leases import Leases
from downloader.engine.owed import Aftermath, Chores, Owed, Revoked

BUFFER = 1024 * 1024
BULK = 128 * 1024
"""Copying so much takes longer than the Python around it."""


class EngineBroken(TransferError):
    """A bug of ours or of a port's; the download fails, the worker lives."""

    reason = "bug"
    retryable = False


class Worker:
    """The steps of a transfer, shared by all threads; what a thread must have for itself is its buffer.

    `spawn` runs a hashing lease on another pool, `retry` is told what to try again and when, `boot` names the
    machine's run.
    """

    def __init__(
        self,
        ports: Ports,
        limits: Limits,
        leases: Leases,
        spawn: Callable[[Lease], None],
        retry: Callable[[Lease, float], None],
        boot: str,
    ) -> None:
        self._ports, self._limits, self._leases = ports, limits, leases
        self._spawn, self._retry, self._boot = spawn, retry, boot
        self._own = threading.local()

    def fetch(self, lease: Lease) -> None:
        """Fetch the leased block and, if it was the last one, publish the file. Never raises."""
        self._run(lease, self._transfer, worker=True)

    def hash(self, lease: Lease) -> None:
        """Hash what is whole so far, while the rest is still coming. Never raises."""
        self._ports.spread()
        self._run(lease, self._catch_up, worker=False)

    def settle(self, aftermath: Aftermath) -> None:
        """Do what a transition left to be done, and what becomes due by that."""
        for response in aftermath.aborted:
            response.abort()
        while aftermath.owed:
            with suppress(StorageFailed):  # the last checkpoint that could be written stands
                self._put_away(aftermath.owed)
            aftermath = self._leases.tidied(aftermath.owed)
        if aftermath.ended:
            try:
                self._ports.finished(aftermath.ended)
            finally:
                self._leases.told()

    def _run(self, lease: Lease, step: Callable[[Lease], None], *, worker: bool) -> None:
        error = self._attempt(lease, step)
        while (aftermath := self._leases.leave(lease, error, worker=worker)) is None:
            error = self._attempt(lease, self._finish)
        self.settle(aftermath)
        if aftermath.retry_in:
            self._retry(lease, aftermath.retry_in)

    def _attempt(self, lease: Lease, step: Callable[[Lease], None]) -> TransferError | None:
        try:
            step(lease)
        except Revoked:
            return None
        except TransferError as error:
            return error
        except Exception as error:
            return EngineBroken(f"{type(error).__name__}: {error}")
        return None

    def _transfer(self, lease: Lease) -> None:
        if self._leases.begin(lease):
            self._restore(lease)
        asked = self._leases.asks(lease)
        if asked is None:
            return
        job, clock = lease.download.job, self._ports.clock
        with self._ports.tracer.span("request", job.id):
            response = self._ports.transport.get(job.url, asked.headers())
        with closing(response):
            self._leases.attach(lease, response)
            offer = interpret(response.status, response.headers, asked, clock.time())
            if lease.version is not None:
                self._leases.narrow(lease, offer)
                self._receive(lease, response, 0)
                return
            count = response.readinto(self._buffer()[: offer.end])
            if not self._published_at_once(lease, offer, count):
                self._agree(lease, offer)
                self._receive(lease, response, count)

    def _published_at_once(self, lease: Lease, offer: Offer, count: int) -> bool:
        """Whether the first read brought the whole file, as it does with small ones: then there is nothing to
        plan, to share, or to go on with, and the file is published at once."""
        if count != offer.validator.total or not self._leases.claim(lease):
            return False
        job, body = lease.download.job, self._buffer()[:count]
        sha256 = hashlib.sha256(body).hexdigest() if lease.download.hashes else None
        _check_sum(job, sha256)
        with closing(self._ports.storage.create(job.destination)) as file:
            file.write(body, 0)
            file.publish(count)
            lease.brought = Whole(count, sha256)
        self._ports.gather()
        return True

    def _restore(self, lease: Lease) -> None:
        """Go on with what an earlier life, or a pause, left on the disk."""
        job, storage = lease.download.job, self._ports.storage
        raw = storage.load(job.destination)
        found = decode(raw) if raw else None
        file = storage.reopen(job.destination) if found and found.serves(job.url, self._boot) else None
        if found and file:
            total = found.validator.total
            size = block_size(total or 1, self._limits.per_download)
            self._adopt(lease, Plan(total, size, found.here), found.validator, file, None, resumed=True)
        elif raw:
            storage.discard(job.destination)

    def _agree(self, lease: Lease, offer: Offer) -> None:
        """Make a plan of the first offer for a file."""
        self._ports.storage.reserve(offer.validator.total or 0)
        plan = self._leases.plan(lease, offer)
        destination = lease.download.job.destination
        if lease.download.stored:  # a crash must not find the checkpoint of other bytes beside the new file
            self._ports.storage.discard(destination)
        file = self._ports.storage.create(destination)
        self._adopt(lease, plan, offer.validator, file, offer.end, resumed=False)

    def _adopt(
        self, lease: Lease, plan: Plan, known: Validator, file: PartFile, end: int | None, *, resumed: bool
    ) -> None:
        version = Version(plan, known, file, hashlib.sha256(), ranged=end is not None or resumed)
        self._leases.adopt(lease, version, end, resumed=resumed)

    def _receive(self, lease: Lease, response: Response, count: int) -> None:
        """The data path: from the socket into a buffer, where `count` bytes are already, and from there to its
        place in the file."""
        block, version, clock = lease.block, lease.version, self._ports.clock
        if block is None or version is None:
            return
        if block.left is None or block.left > BULK:
            self._ports.spread()
        buffer, pace = self._buffer(), Pace(self._limits, clock.monotonic())
        while block.left != 0:
            count = count or response.readinto(buffer[: block.left])
            if count == 0:
                return self._body_ended(lease)
            version.file.write(buffer[:count], block.position)
            self._see_to(lease, version, self._leases.commit(lease, count))
            pace.add(count, clock.monotonic())
            count = 0

    def _body_ended(self, lease: Lease) -> None:
        assert lease.block is not None
        if lease.block.left is not None:
            raise ConnectionLost(f"the body ended {lease.block.left} bytes before the promised end")
        self._leases.ended(lease)

    def _see_to(self, lease: Lease, version: Version, chores: Chores) -> None:
        if chores.hash:
            self._spawn(chores.hash)
        if chores.save:
            try:
                self._save(lease.download.job.destination, lease, version)
            finally:
                self._leases.saved(version)

    def _save(self, destination: str, lease: Lease, version: Version) -> None:
        checkpoint = self._leases.snapshot(lease.download, version, self._boot, synced=False)
        self._ports.storage.save(destination, checkpoint.encode())

    def _catch_up(self, lease: Lease) -> None:
        """Hash from where the last hasher stopped to the first byte that is not here yet."""
        version = lease.version
        assert version is not None
        start, end = self._leases.to_hash(lease, version.hashed)
        while start < end:
            self._digest(version, start, end)
            start, end = self._leases.to_hash(lease, end)

    def _digest(self, version: Version, start: int, end: int) -> None:
        buffer = self._buffer()
        while start < end:
            count = version.file.readinto(buffer[: end - start], start)
            if count == 0:
                raise StorageFailed(f"the part file ends at byte {start}, before what was written to it")
            version.digest.update(buffer[:count])
            start += count

    def _finish(self, lease: Lease) -> None:
        """By whoever leaves last: check the sum, and let the file appear under its name."""
        version, job = lease.version, lease.download.job
        assert version is not None
        if lease.download.hashes:
            self._catch_up(lease)
        if not self._leases.begin_publishing(lease):
            return
        sha256 = version.digest.hexdigest() if lease.download.hashes else None
        _check_sum(job, sha256)
        version.file.publish(version.plan.received)
        self._leases.published(lease, sha256)
        version.file.close()
        if lease.download.stored:
            with suppress(StorageFailed):  # a checkpoint that outlives its file is replaced by the next one
                self._ports.storage.discard(job.destination)

    def _put_away(self, owed: Owed) -> None:
        destination, version = owed.download.job.destination, owed.version
        if version:
            with closing(version.file):
                if owed.keep and version.plan.received:
                    version.file.sync()
                    checkpoint = self._leases.snapshot(owed.download, version, self._boot, synced=True)
                    self._ports.storage.save(destination, checkpoint.encode())
        if owed.discard:
            self._ports.storage.discard(destination)

    def _buffer(self) -> memoryview:
        if not hasattr(self._own, "buffer"):
            self._own.buffer = memoryview(bytearray(BUFFER))
        buffer: memoryview = self._own.buffer
        return buffer


def _check_sum(job: Job, sha256: str | None) -> None:
    if job.sha256 not in (None, sha256):
        raise ChecksumMismatch(f"SHA-256 is {sha256}, not {job.sha256} as promised")
