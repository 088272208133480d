"""The download manager: gives each free worker what waits."""

import math
from collections.abc import Sequence

import psutil

from downloader.contract import DownloadManager as Contract
from downloader.contract import Job, Limits, Ports, Stats, Status
from downloader.core.download import Download, Lease
from downloader.core.validate import check
from downloader.engine.ledger import Ledger
from downloader.engine.owed import Interruption
from downloader.engine.worker import Worker

HASHERS = 2


class DownloadManager(Contract):
    """See the contract. State: `Ledger`, behind one lock. Waiting: `Worker`, on two bounded pools."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._ledger = Ledger(ports.lock("downloads"), self._limits, ports.random, ports.clock.monotonic)
        self._workers = ports.executor("download", self._limits.workers)
        self._hashers = ports.executor("checksum", HASHERS)
        boot = f"{psutil.boot_time():.0f}"
        self._worker = Worker(ports, self._limits, self._ledger, self._spawn_hasher, self._retry, boot)

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._ledger.add(check(job))
        self._dispatch()

    def submit(self, job: Job) -> str:
        self._ledger.add(check(job))
        self._dispatch()
        return job.id

    def pause(self, job_id: str) -> None:
        self._interrupt(self._ledger.pause(job_id))

    def resume(self, job_id: str) -> None:
        self._ledger.resume(job_id)
        self._dispatch()

    def cancel(self, job_id: str) -> None:
        interruption = self._ledger.cancel(job_id)
        self._interrupt(interruption)
        self._ports.finished(interruption.status)

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
        self._ledger.drain(None if math.isinf(deadline) else deadline)
        for response in self._ledger.revoke_everything():
            response.abort()
        for owed in self._ledger.wait_until_idle():
            self._worker.tidy(owed)
        self._workers.shutdown()
        self._hashers.shutdown()
        return self._ledger.unfinished()

    def shutdown(self, *, drain: bool = True) -> Sequence[Job]:
        self._ledger.close()
        if drain:
            self._ledger.wait_until_final()
        return self.stop(0.0)

    def _dispatch(self) -> None:
        """Call this, without the lock, after anything that may have freed a worker or given it something."""
        for lease in self._ledger.take():
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

    def _interrupt(self, interruption: Interruption) -> None:
        for response in interruption.responses:
            response.abort()
        self._worker.tidy(interruption.owed)
        self._dispatch()
