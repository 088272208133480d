"""What the users of the engine ask for, as transitions behind the one lock.

Each method takes the lock, changes the state, and returns the I/O that is owed. Nothing here waits for anything
but the lock, except the methods whose name says so.
"""

from dataclasses import replace

from downloader.contract import Busy, Conflict, Job, State, Stats, Status
from downloader.core.download import Download
from downloader.core.version import Lease
from downloader.engine.books import Books
from downloader.engine.owed import Aftermath


class Ledger:
    """Safe from any thread."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def add(self, job: Job) -> None:
        """Accept a new job, if there is room."""
        with self._books.lock:
            self._admit()
            unfinished, limit = self._books.census.unfinished, self._books.limits.jobs
            if unfinished >= limit:
                raise Busy(f"{limit} downloads are unfinished already: try again when some have ended")
            self._add(job)

    def restore(self, job: Job) -> None:
        """Take over a job that was accepted before: there is always room for it."""
        with self._books.lock:
            self._add(job)

    def reject(self, job: Job, error: str) -> Aftermath:
        """Know `job` as failed, unless there is one of its name."""
        with self._books.lock:
            if job.id in self._books.downloads:
                return Aftermath()
            return self._books.settle(self._books.enter_failed(job, error))

    def pause(self, job_id: str) -> Aftermath:
        with self._books.lock:
            download = self._interruptible(job_id)
            download.paused = True
            return self._books.settle(download, aborted=download.revoke_all())

    def resume(self, job_id: str) -> Aftermath:
        with self._books.lock:
            download = self._books.find(job_id)
            if download.end is State.FAILED:
                self._admit()
                self._claim(download)
                download.try_again()
            elif download.end:
                raise Conflict(f"download {job_id!r} is {download.end}: there is nothing to resume")
            download.paused = False
            return self._books.settle(download)

    def cancel(self, job_id: str) -> Aftermath:
        with self._books.lock:
            download = self._interruptible(job_id)
            download.end, download.unwanted = State.CANCELLED, True
            return self._books.settle(download, aborted=download.revoke_all())

    def forget(self, job_id: str) -> None:
        with self._books.lock:
            download = self._books.find(job_id)
            if not download.end or download.outstanding:
                raise Conflict(f"download {job_id!r} has not ended: cancel it first, or wait for its end")
            self._books.strike(download)

    def status(self, job_id: str) -> Status:
        with self._books.lock:
            return self._books.find(job_id).status(self._books.now())

    def wait(self, job_id: str, timeout: float | None) -> Status:
        """Waits for the download to be final, and for everything owed to it to be done."""
        with self._books.changed:
            download = self._books.find(job_id)
            self._books.changed.wait_for(lambda: download.end and not download.live, timeout)
            return download.status(self._books.now())

    def stats(self) -> Stats:
        with self._books.lock:
            census, totals = self._books.census, self._books.totals
            return Stats(
                dict(census.states),
                totals.received,
                totals.resumed,
                dict(totals.retries),
                census.restarts,
                totals.rate.value(self._books.now()),
                self._books.limits.workers,
                self._books.schedule.busy,
            )

    def take(self) -> list[Lease]:
        """Leases for all the workers that are free now."""
        with self._books.lock:
            now, leases = self._books.now(), []
            while lease := self._books.schedule.take(now):
                self._books.census.note(lease.download, now)
                leases.append(lease)
            return leases

    def wake(self, download: Download) -> None:
        """The wait before a retry may be over."""
        with self._books.lock:
            now = self._books.now()
            if abs(download.hold_until - now) < 0.001:  # a timer may fire by a rounding error too early
                download.hold_until = now
            self._books.schedule.offer(download)
            if not download.end:
                self._books.census.note(download, now)

    # The end of the engine.

    def close(self) -> None:
        """Accept nothing more."""
        with self._books.lock:
            self._books.accepting = False

    def wait_until_final(self) -> None:
        """Waits for every download to be final or paused."""
        with self._books.changed:
            self._books.changed.wait_for(lambda: not self._books.census.pending)

    def drain_and_wait(self, timeout: float | None) -> None:
        """Start no download that has not begun, and wait for those that have, `timeout` seconds at most."""
        with self._books.changed:
            self._books.schedule.draining = True
            self._books.changed.wait_for(lambda: not self._books.census.live, timeout)

    def revoke_everything(self) -> list[Aftermath]:
        with self._books.lock:
            self._books.schedule.closed = True
            live = [download for download in self._books.downloads.values() if download.live]
            return [self._books.settle(download, aborted=download.revoke_all()) for download in live]

    def wait_until_idle(self) -> bool:
        """Waits until nothing is open or owed, and every end is told. Whether all workers are back: those that
        are not hang in a request whose answer nobody wants any more."""
        with self._books.changed:
            self._books.changed.wait_for(lambda: not self._books.census.live and not self._books.telling)
            return not self._books.schedule.busy

    def unfinished(self) -> list[Job]:
        with self._books.lock:
            downloads = self._books.downloads.values()
            return [replace(one.job, paused=one.paused) for one in downloads if not one.end]

    # All below require holding the lock.

    def _admit(self) -> None:
        if not self._books.accepting:
            raise Busy("the engine is stopping: try again in a few seconds")

    def _add(self, job: Job) -> None:
        if job.id in self._books.downloads:
            raise Conflict(f"there is a download {job.id!r} already")
        if job.destination in self._books.owners:
            raise Conflict(f"another download already goes to {job.destination!r}")
        self._books.note(self._books.enter(job))

    def _claim(self, download: Download) -> None:
        if self._books.owners.get(download.job.destination) is not download:
            raise Conflict(f"{download.error}: it cannot be tried again")

    def _interruptible(self, job_id: str) -> Download:
        download = self._books.find(job_id)
        if download.end or download.publishing:
            raise Conflict(f"download {job_id!r} is {download.end or 'just being finished'}")
        return download
