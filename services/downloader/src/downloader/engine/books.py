"""What the threads share, and the one lock that guards it."""

import threading
from collections.abc import Callable, Sequence
from random import Random
from typing import cast

from downloader.contract import Job, Limits, Response, State, Status, UnknownJob
from downloader.core.census import Census, Totals
from downloader.core.download import Download
from downloader.core.schedule import Schedule
from downloader.core.validate import place_of
from downloader.core.version import Version
from downloader.engine.owed import Aftermath, Owed
from lab_kit.ports import Lock


class Books:
    """The downloads, the schedule and the counters. Every method requires holding `lock`.

    `changed` is a condition on the same lock, notified after each change that somebody may wait for.
    """

    def __init__(self, lock: Lock, limits: Limits, random: Random, now: Callable[[], float]) -> None:
        self.lock = lock
        self.changed = threading.Condition(cast(threading.Lock, lock))
        self.limits, self.now = limits, now
        self.schedule, self.census, self.totals = Schedule(limits), Census(), Totals()
        self.accepting = True
        self.telling = 0
        self.downloads: dict[str, Download] = {}
        self.owners: dict[str, Download] = {}
        self._random, self._order = random, 0

    def find(self, job_id: str) -> Download:
        if job_id not in self.downloads:
            raise UnknownJob(f"no download {job_id!r}")
        return self.downloads[job_id]

    def enter(self, job: Job) -> Download:
        """A new download, which has its destination to itself."""
        self._order += 1
        download = Download(job, self._order, self.limits, self._random, place_of(job.url).named)
        self.downloads[job.id] = self.owners[job.destination] = download
        return download

    def enter_failed(self, job: Job, error: str) -> Download:
        """A download that cannot begin; nothing will ever be done for it."""
        self._order += 1
        download = Download(job, self._order, self.limits, self._random, end=State.FAILED, error=error)
        self.downloads[job.id] = download
        return download

    def strike(self, download: Download) -> None:
        """Know no more of `download`; its destination is free."""
        del self.downloads[download.job.id]
        if self.owners.get(download.job.destination) is download:
            del self.owners[download.job.destination]
        self.census.forget(download)

    def settle(
        self,
        download: Download,
        left: Version | None = None,
        aborted: Sequence[Response] = (),
        retry_in: float | None = None,
    ) -> Aftermath:
        """Ends every transition of `download`: what is owed now that it is as it is. `left`: a version that
        its last worker may just have left."""
        owed = self._owed(download, left)
        ended = self._news(download)
        self.note(download)
        self.changed.notify_all()
        return Aftermath(aborted, owed, ended, retry_in)

    def note(self, download: Download) -> None:
        """`download` changed in a way that nobody waits for."""
        self.schedule.offer(download)
        self.census.note(download, self.now())

    def _owed(self, download: Download, left: Version | None) -> Owed | None:
        stale = left is not None and left is not download.version and not left.holders
        version = left if stale else self._detached(download)
        discard = download.unwanted and not download.outstanding and not download.discarded
        if version is None and not discard:
            return None
        download.outstanding += 1
        download.discarded = download.discarded or discard
        return Owed(download, version, keep=not stale and _worth_keeping(download, version), discard=discard)

    def _detached(self, download: Download) -> Version | None:
        """An open file stays open only for a worker that comes next."""
        if download.version is None:
            return None
        stays = download.wants_worker(self.now()) and not self.schedule.closed
        return None if stays else download.detach()

    def _news(self, download: Download) -> Status | None:
        """The status of a download that has just ended, once nothing is left to be done for it."""
        if not download.end or download.outstanding or download.told:
            return None
        download.told = True
        self.telling += 1
        return download.status(self.now())


def _worth_keeping(download: Download, version: Version | None) -> bool:
    ended_well = download.end in (None, State.FAILED) and not download.unwanted
    return ended_well and version is not None and version.keepable
