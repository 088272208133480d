"""What a competent newcomer writes first: one thread for each download, and a dictionary they all share.

It works on a sunny day. Compare it with `engine` when it rains.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import closing
from dataclasses import dataclass, replace

from downloader.contract import (
    Busy,
    ChecksumMismatch,
    Conflict,
    HttpError,
    Job,
    Limits,
    PartFile,
    Ports,
    Response,
    State,
    Stats,
    Status,
    UnknownJob,
)
from downloader.contract import DownloadManager as Contract
from downloader.core.validate import check

ATTEMPTS, RETRY_SECONDS, CHUNK = 3, 1.0, 64 * 1024


@dataclass(slots=True, eq=False)
class Download:
    """One download and how far it has come; its thread and everybody else just write to it."""

    job: Job
    began: float
    state: State = State.QUEUED
    received: int = 0
    total: int | None = None
    retries: int = 0
    sha256: str | None = None
    error: str | None = None
    future: Future[None] | None = None

    def status(self, now: float) -> Status:
        rate = 0.0 if self.state.final else self.received / max(now - self.began, 0.001)
        eta = (self.total - self.received) / rate if self.total is not None and rate else None
        return Status(self.job, self.state, self.received, self.total, rate, eta, self.retries,
                      sha256=self.sha256, error=self.error)  # fmt: skip


class DownloadManager(Contract):
    """See the contract for what should be guaranteed; without a fault and a race it mostly is."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._pool = ports.executor("download", self._limits.workers)
        self._downloads: dict[str, Download] = {}
        self._closed = self._stopping = False
        self._bytes_received = self._busy = self._retries = 0

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.submit(job)

    def submit(self, job: Job) -> str:
        if self._closed:
            raise Busy("the engine is stopping: try again in a few seconds")
        if job.id in self._downloads:
            raise Conflict(f"there is a download {job.id!r} already")
        download = Download(check(job), self._ports.clock.monotonic())
        self._downloads[job.id] = download
        if job.paused:
            download.state = State.PAUSED
        else:
            self._enqueue(download)
        return job.id

    def pause(self, job_id: str) -> None:
        self._unfinished(job_id).state = State.PAUSED

    def resume(self, job_id: str) -> None:
        download = self._find(job_id)
        if download.state in (State.DONE, State.CANCELLED):
            raise Conflict(f"download {job_id!r} is {download.state}: there is nothing to resume")
        if download.state in (State.PAUSED, State.FAILED):
            self._enqueue(download)

    def cancel(self, job_id: str) -> None:
        download = self._unfinished(job_id)
        download.state = State.CANCELLED
        self._ports.storage.discard(download.job.destination)
        self._ports.finished(self.status(job_id))

    def status(self, job_id: str) -> Status:
        return self._find(job_id).status(self._ports.clock.monotonic())

    def forget(self, job_id: str) -> None:
        if not self._find(job_id).state.final:
            raise Conflict(f"download {job_id!r} is not finished: cancel it first")
        del self._downloads[job_id]

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        deadline = self._ports.clock.monotonic() + (math.inf if timeout is None else timeout)
        while not self.status(job_id).state.final and self._ports.clock.monotonic() < deadline:
            self._ports.clock.sleep(0.05)
        return self.status(job_id)

    def stats(self) -> Stats:
        downloads, now = list(self._downloads.values()), self._ports.clock.monotonic()
        states = Counter(download.state for download in downloads)
        return Stats(
            states={state: states[state] for state in State},
            bytes_received=self._bytes_received,
            retries={"transfer": self._retries},
            rate=sum(one.status(now).rate for one in downloads if one.state is State.ACTIVE),
            workers=self._limits.workers,
            busy=self._busy,
        )

    def stop(self, deadline: float) -> Sequence[Job]:
        self._closed = True
        drain = math.isinf(deadline)
        self._pool.shutdown(wait=False, cancel_futures=not drain)
        downloads = list(self._downloads.values())
        wait([one.future for one in downloads if one.future], None if drain else deadline)
        self._stopping = True
        self._pool.shutdown()
        return [
            replace(one.job, paused=one.state is State.PAUSED) for one in downloads if not one.state.final
        ]

    def _find(self, job_id: str) -> Download:
        if job_id not in self._downloads:
            raise UnknownJob(f"no download {job_id!r}")
        return self._downloads[job_id]

    def _unfinished(self, job_id: str) -> Download:
        download = self._find(job_id)
        if download.state.final:
            raise Conflict(f"download {job_id!r} is {download.state}")
        return download

    def _enqueue(self, download: Download) -> None:
        download.state = State.QUEUED
        download.future = self._pool.submit(self._run, download)

    def _run(self, download: Download) -> None:
        if download.state is not State.QUEUED:
            return
        download.state = State.ACTIVE
        self._busy += 1
        self._try(download)
        self._busy -= 1
        if download.state.final and download.state is not State.CANCELLED:
            self._ports.finished(self.status(download.job.id))

    def _try(self, download: Download) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._download(download)
            except Exception as error:
                if not self._wanted(download):
                    return
                download.error = str(error)
                if attempt < ATTEMPTS:
                    download.retries += 1
                    self._retries += 1
                    self._ports.clock.sleep(RETRY_SECONDS)
        download.state = State.FAILED

    def _download(self, download: Download) -> None:
        with closing(self._open(download)) as file:
            headers = {"range": f"bytes={download.received}-"} if download.received else {}
            with closing(self._ports.transport.get(download.job.url, headers)) as response:
                self._receive(download, response, file)
            if self._wanted(download):
                download.sha256 = self._checksum(download, file)
                file.publish(download.received)
                download.state, download.error = State.DONE, None

    def _open(self, download: Download) -> PartFile:
        storage, destination = self._ports.storage, download.job.destination
        file = storage.reopen(destination) if download.received else None
        if file is None:
            storage.discard(destination)
            file = storage.create(destination)
            download.received = 0
        return file

    def _receive(self, download: Download, response: Response, file: PartFile) -> None:
        if response.status >= 400:
            raise HttpError(response.status)
        if "content-length" in response.headers:
            download.total = download.received + int(response.headers["content-length"])
        buffer = memoryview(bytearray(CHUNK))
        while self._wanted(download) and (count := response.readinto(buffer)):
            file.write(buffer[:count], download.received)
            download.received += count
            self._bytes_received += count

    def _wanted(self, download: Download) -> bool:
        return download.state is State.ACTIVE and not self._stopping

    def _checksum(self, download: Download, file: PartFile) -> str | None:
        expected = download.job.sha256
        if not (expected or self._limits.checksum):
            return None
        digest, buffer, position = hashlib.sha256(), memoryview(bytearray(CHUNK)), 0
        while count := file.readinto(buffer, position):
            digest.update(buffer[:count])
            position += count
        if expected not in (None, digest.hexdigest()):
            raise ChecksumMismatch(f"SHA-256 is {digest.hexdigest()}, not {expected} as promised")
        return digest.hexdigest()
