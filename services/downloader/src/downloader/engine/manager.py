"""The download manager: gives each free worker what waits."""

import math
from collections.abc import Sequence
from contextlib import suppress

import psutil

from downloader.contract import Conflict, InvalidJob, Job, Limits, Ports, Stats, Status
from downloader.contract import DownloadManager as Contract
from downloader.core.download import Download
from downloader.core.validate import check
from downloader.core.version import Lease
from downloader.engine.books import Books
from downloader.engine.leases import Leases
from downloader.engine.ledger import Ledger
from downloader.engine.owed import Aftermath
from downloader.engine.worker import Worker

HASHERS = 2


class DownloadManager(Contract):
    """See the contract. State: `Books`, behind one lock, changed by users through `Ledger` and by workers
    through `Leases`. Waiting: `Worker`, on two bounded pools."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        books = Books(ports.lock("downloads"), limits, ports.random, ports.clock.monotonic)
        self._ports, self._ledger = ports, Ledger(books)
        self._workers = ports.executor("download", limits.workers)
        self._hashers = ports.executor("checksum", HASHERS)
        boot = f"{psutil.boot_time():.0f}"
        self._worker = Worker(ports, limits, Leases(books), self._spawn_hasher, self._retry, boot)

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._restore(job)
        self._dispatch()

    def submit(self, job: Job) -> str:
        self._ledger.add(check(job))
        self._dispatch()
        return job.id

    def pause(self, job_id: str) -> None:
        self._settle(self._ledger.pause(job_id))

    def resume(self, job_id: str) -> None:
        self._settle(self._ledger.resume(job_id))

    def cancel(self, job_id: str) -> None:
        self._settle(self._ledger.cancel(job_id))

    def status(self, job_id: str) -> Status:
        return self._ledger.status(job_id)

    def forget(self, job_id: str) -> None:
        self._ledger.forget(job_id)

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        return self._ledger.wait(job_id, timeout)

    def stats(self) -> Stats:
        return self._ledger.stats()

    def stop(self, deadline: float) -> Sequence[Job]:
        self._ledger.close()
        self._ledger.drain_and_wait(None if math.isinf(deadline) else deadline)
        for aftermath in self._ledger.revoke_everything():
            self._worker.settle(aftermath)
        all_back = self._ledger.wait_until_idle()
        self._workers.shutdown(wait=all_back)
        self._hashers.shutdown(wait=all_back)
        return self._ledger.unfinished()

    def shutdown(self, *, drain: bool = True) -> Sequence[Job]:
        self._ledger.close()
        if drain:
            self._ledger.wait_until_final()
        return self.stop(0.0)

    def _restore(self, job: Job) -> None:
        """A job that was accepted once ends in public, even if it can no longer begin."""
        try:
            self._ledger.restore(check(job))
        except (InvalidJob, Conflict) as error:
            self._worker.settle(self._ledger.reject(job, str(error)))

    def _dispatch(self) -> None:
        """Call this, without the lock, after anything that may have freed a worker or given it something."""
        for lease in self._ledger.take():
            with suppress(RuntimeError):  # the pool is shut, and the lease was taken back before that
                self._workers.submit(self._fetch, lease)

    def _fetch(self, lease: Lease) -> None:
        self._worker.fetch(lease)
        self._dispatch()

    def _spawn_hasher(self, lease: Lease) -> None:
        self._hashers.submit(self._hash, lease)

    def _hash(self, lease: Lease) -> None:
        self._worker.hash(lease)
        self._dispatch()

    def _retry(self, lease: Lease, delay: float) -> None:
        self._ports.clock.call_later(delay, lambda: self._wake(lease.download))

    def _wake(self, download: Download) -> None:
        self._ledger.wake(download)
        self._dispatch()

    def _settle(self, aftermath: Aftermath) -> None:
        self._worker.settle(aftermath)
        self._dispatch()
