"""T1 as a learner might solve it, sharing no idea with the reference: one connection a file, one condition."""

import hashlib
import json
import logging
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from threading import Condition

from downloader import contract as t1
from downloader.contract import State
from downloader.core.http import retry_after
from downloader.core.retry import Backoff
from downloader.core.validate import check, place_of

log = logging.getLogger(__name__)
CHUNK = 256 * 1024


@dataclass(eq=False)
class Download:
    job: object
    order: int
    state: State = State.QUEUED
    received: int = 0
    total: int | None = None
    restarts: int = 0
    turn: int = 0
    inside: bool = False
    publishing: bool = False
    response: object = None
    etag: str | None = None
    sha256: str | None = None
    error: str | None = None
    backoff: Backoff = field(default_factory=Backoff)
    host: str = field(init=False)

    def __post_init__(self):
        self.host = place_of(self.job.url).named
        self.state = State.PAUSED if self.job.paused else State.QUEUED


class Stopped(Exception): ...


class DownloadManager:
    def __init__(self, ports, limits=None):
        self._ports, self._limits = ports, limits or t1.Limits()
        self._changed = Condition()
        self._pool = ports.executor("download", self._limits.workers)
        self._downloads = {}
        self._accepting = self._dispatching = True
        self._inside, self._hosts = 0, Counter()
        self._bytes = 0

    def start(self, jobs):
        for job in jobs:
            with self._changed:
                self._downloads[job.id] = Download(job, len(self._downloads))
        self._dispatch()

    def submit(self, job):
        check(job)
        with self._changed:
            if not self._accepting:
                raise t1.Busy("stopping")
            if job.id in self._downloads:
                raise t1.Conflict(f"{job.id} is known already")
            if sum(not one.state.final for one in self._downloads.values()) >= self._limits.jobs:
                raise t1.Busy("the queue is full")
            self._downloads[job.id] = Download(job, len(self._downloads))
        self._dispatch()
        return job.id

    def pause(self, job_id):
        self._interrupt(job_id, State.PAUSED)

    def cancel(self, job_id):
        if download := self._interrupt(job_id, State.CANCELLED):
            self._tell(download)

    def resume(self, job_id):
        with self._changed:
            download = self._find(job_id)
            if download.state in (State.DONE, State.CANCELLED):
                raise t1.Conflict(f"{job_id} is {download.state}")
            if download.state in (State.PAUSED, State.FAILED):
                download.state, download.backoff = State.QUEUED, Backoff()
        self._dispatch()

    def status(self, job_id):
        with self._changed:
            return self._status(self._find(job_id))

    def forget(self, job_id):
        with self._changed:
            del self._downloads[self._find(job_id).job.id]

    def wait(self, job_id, timeout=None):
        with self._changed:
            download = self._find(job_id)
            self._changed.wait_for(lambda: download.state.final and not download.inside, timeout)
            return self._status(download)

    def stats(self):
        with self._changed:
            states = Counter(one.state for one in self._downloads.values())
            restarts = sum(one.restarts for one in self._downloads.values())
            return t1.Stats({state: states[state] for state in State}, self._bytes, restarts=restarts)

    def stop(self, deadline):
        with self._changed:
            self._accepting = self._dispatching = False
            self._changed.wait_for(lambda: not self._inside, min(deadline, 1e6))
            running = [one for one in self._downloads.values() if one.inside and not one.publishing]
            for download in running:
                download.turn += 1
        for response in [one.response for one in running if one.response]:
            response.abort()
        with self._changed:
            self._changed.wait_for(lambda: not self._inside)
        self._pool.shutdown()
        with self._changed:
            open_jobs = [one for one in self._downloads.values() if not one.state.final]
            return [replace(one.job, paused=one.state is State.PAUSED) for one in open_jobs]

    def shutdown(self, *, drain=True):
        with self._changed:
            self._accepting = False
            if drain:
                everything = self._downloads.values()
                self._changed.wait_for(
                    lambda: all(one.state.final or one.state is State.PAUSED for one in everything)
                )
        return self.stop(0.0)

    def _find(self, job_id):
        if job_id not in self._downloads:
            raise t1.UnknownJob(job_id)
        return self._downloads[job_id]

    def _status(self, one):
        return t1.Status(one.job, one.state, one.received, one.total, 0.0, None, one.backoff.count, one.restarts,
                      one.sha256, one.error)  # fmt: skip

    def _interrupt(self, job_id, state):
        """Not held. Returns the download if nobody is at work on it, so that the caller sees to its end."""
        with self._changed:
            download = self._find(job_id)
            if download.state.final or download.publishing:
                raise t1.Conflict(f"{job_id} is {download.state}")
            download.state, response, inside = state, download.response, download.inside
            download.turn += 1
            self._changed.notify_all()
        if response:
            response.abort()
        return None if inside else download

    def _dispatch(self):
        """Not held. Give every free worker the best download that waits."""
        with self._changed:
            while self._dispatching and self._inside < self._limits.workers:
                room = [
                    one for one in self._downloads.values() if self._hosts[one.host] < self._limits.per_host
                ]
                waiting = [one for one in room if one.state is State.QUEUED and not one.inside]
                if not waiting:
                    return
                download = min(waiting, key=lambda one: (-one.job.priority, one.order))
                download.state, download.inside = State.ACTIVE, True
                self._inside += 1
                self._hosts[download.host] += 1
                self._pool.submit(self._work, download, download.turn)

    def _work(self, download, turn):
        error = None
        try:
            self._fetch(download, turn)
        except Stopped:
            pass
        except t1.TransferError as raised:
            error = raised
        delay = self._leave(download, turn, error)
        if delay is not None:
            self._ports.clock.call_later(delay, lambda: self._wake(download, turn))
        if download.state.final:
            self._tell(download)
        with self._changed:
            download.inside = False
            self._inside -= 1
            self._hosts[download.host] -= 1
            self._changed.notify_all()
        self._dispatch()

    def _leave(self, download, turn, error):
        with self._changed:
            download.response = None
            if error is None or download.turn != turn:
                download.state = State.QUEUED if download.state is State.ACTIVE else download.state
                return None
            download.publishing = False
            delay = download.backoff.delay(error, self._limits, self._ports.random)
            if delay is None or isinstance(error, t1.ChecksumMismatch):
                download.state, download.error = State.FAILED, str(error)
                return None
            download.state = State.RETRYING
            log.info("%s is tried again in %.1f s: %s", download.job.id, delay, error)
            return delay

    def _wake(self, download, turn):
        with self._changed:
            if download.turn == turn and download.state is State.RETRYING:
                download.state = State.QUEUED
        self._dispatch()

    def _tell(self, download):
        if download.state is State.CANCELLED:
            self._ports.storage.discard(download.job.destination)
        self._ports.finished(self.status(download.job.id))

    def _fetch(self, download, turn):
        with closing(self._open(download)) as file:
            headers = {"accept-encoding": "identity"}
            if download.received:
                headers |= {"range": f"bytes={download.received}-", "if-range": download.etag}
            with closing(self._ports.transport.get(download.job.url, headers)) as response:
                with self._changed:
                    self._check(download, turn)
                    download.response = response
                self._accept(download, response)
                self._receive(download, turn, response, file)
            self._publish(download, turn, file)

    def _open(self, download):
        storage, destination = self._ports.storage, download.job.destination
        with suppress(ValueError, KeyError, TypeError):
            known = json.loads(storage.load(destination) or b"")
            file = storage.reopen(destination)
            if file:
                with self._changed:
                    download.received, download.etag = known["received"], known["etag"]
                return file
        with self._changed:
            download.restarts += download.received > 0
            download.received = 0
        return storage.create(destination)

    def _accept(self, download, response):
        if response.status not in (200, 206):
            raise t1.HttpError(response.status, retry_after(response.headers.get("retry-after"), 0.0))
        if download.received and response.status == 200:
            self._ports.storage.discard(download.job.destination)
            raise t1.ContentChanged("the file is another one now")
        download.etag = response.headers.get("etag")
        download.total = download.received + int(response.headers["content-length"])

    def _receive(self, download, turn, response, file):
        buffer = memoryview(bytearray(CHUNK))
        while count := response.readinto(buffer):
            with self._changed:
                self._check(download, turn)
            file.write(buffer[:count], download.received)
            with self._changed:
                self._bytes += count
                download.received += count
                download.backoff.progressed()
            self._save(download)
        if download.received < download.total:
            raise t1.ConnectionLost("the body was too short")

    def _save(self, download):
        with self._changed:
            about = {"received": download.received, "etag": download.etag}
        if about["etag"]:
            self._ports.storage.save(download.job.destination, json.dumps(about).encode())

    def _publish(self, download, turn, file):
        digest = self._digest(download, file)
        if download.job.sha256 not in (None, digest):
            self._ports.storage.discard(download.job.destination)
            raise t1.ChecksumMismatch("these are not the bytes that were asked for")
        with self._changed:
            self._check(download, turn)
            download.publishing = True
        file.publish(download.received)
        self._ports.storage.discard(download.job.destination)
        with self._changed:
            download.sha256, download.state = digest, State.DONE

    def _digest(self, download, file):
        digest, buffer, position = hashlib.sha256(), memoryview(bytearray(CHUNK)), 0
        while count := file.readinto(buffer, position):
            digest.update(buffer[:count])
            position += count
        return digest.hexdigest()

    def _check(self, download, turn):
        if download.turn != turn:
            raise Stopped
