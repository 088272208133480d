"""Between the outside and the engine: accepts downloads durably, and tells their ends."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.notes import Request, announcement
from downloader.adapters.registry import Record, Registry
from downloader.adapters.storage import FileStorage
from downloader.contract import (
    Busy,
    Conflict,
    DownloadManager,
    InvalidJob,
    Job,
    Refused,
    State,
    Status,
    StorageFailed,
    UnknownJob,
)
from downloader.core.validate import check
from lab_kit.engines import EngineHost
from lab_kit.messages import Message, read_body
from lab_kit.streams import Later, Reject, StreamFull, publish

FILES = "lab:files"
UNDO = {"pause": "resume", "resume": "pause"}
log = structlog.get_logger(__name__)


class Desk:
    """For the shell's one event loop. What it accepted is in Redis before it says so."""

    def __init__(
        self,
        redis: Redis,
        registry: Registry,
        host: EngineHost[DownloadManager],
        hosts: AllowedHosts,
        storage: FileStorage,
        public_url: str,
        observe: Callable[[Record], None],
    ) -> None:
        self._redis, self._registry, self._host = redis, registry, host
        self._hosts, self._storage, self._public_url = hosts, storage, public_url
        self._observe = observe
        self._arriving = asyncio.Lock()
        self._ended: asyncio.Queue[Record] = asyncio.Queue()
        self._ending: dict[str, Record] = {}
        self._waiting: dict[str, list[asyncio.Future[Record]]] = defaultdict(list)

    async def unfinished(self) -> Sequence[Job]:
        """The jobs an earlier life of the service left."""
        records = await self._registry.load()
        return [replace(record.job, paused=record.state is not State.QUEUED) for record in records]

    async def accept(self, requests: Sequence[tuple[str, Request, str]]) -> list[Record]:
        """Take on `(id, request, trace)`, all or none. Raises what the engine raises, or `Refused`."""
        jobs = [(check(request.job(job_id)), request.name, trace) for job_id, request, trace in requests]
        for job, _, _ in jobs:
            self._hosts.permit(job.url)
        records = await self._registry.accept(jobs)
        try:
            await self._submit([job for job, _, _ in jobs])
        except Exception:
            await self._registry.remove(*(job.id for job, _, _ in jobs))
            raise
        return records

    async def handle(self, message: Message) -> None:
        """Returns when the download of a `lab:downloads` message is done. The same message is the same job. Raises
        `Reject` for what can never be downloaded, `Later` while there is no room."""
        request = read_body(message, Request)
        job_id = hashlib.sha256(message.id.encode()).hexdigest()[:32]
        try:
            async with self._arriving:  # the same message may be here twice at once
                if job_id not in self._registry:
                    await self.accept([(job_id, request, message.trace)])
        except Busy as error:
            raise Later(str(error)) from error
        except (InvalidJob, Refused) as error:
            raise Reject(str(error)) from error
        record = await self._end_of(job_id)
        if record.state is not State.DONE:
            raise Reject(f"the download {record.state}: {record.error or 'by request'}")

    def look(self, job_id: str) -> Record:
        """One download now. Raises `UnknownJob`."""
        record = self._ending.get(job_id) or self._registry.find(job_id)
        if record.ended:
            return record
        try:
            return record.with_status(self._host.engine.status(job_id))
        except UnknownJob:  # the engine is just being switched
            return record

    def page(self, state: State | None, after: str | None, limit: int) -> list[Record]:
        """At most `limit` downloads, newest first, those older than `after`."""
        records = self._registry.all()
        if after is not None:
            self._registry.find(after)
            records = records[[record.job.id for record in records].index(after) + 1 :]
        seen = (self.look(record.job.id) for record in records)
        found = (record for record in seen if state in (None, record.state))
        return [record for record, _ in zip(found, range(limit), strict=False)]

    async def pause(self, job_id: str) -> Record:
        return await self._change(job_id, "pause", State.PAUSED)

    async def resume(self, job_id: str) -> Record:
        """Go on with a paused download, or try a failed one again."""
        if (await self._settled(job_id)).state is not State.FAILED:
            return await self._change(job_id, "resume", State.QUEUED)
        async with self._registry.turn(job_id):
            record = self._registry.find(job_id)
            if record.state is not State.FAILED:
                raise Conflict(f"download {job_id!r} is {record.state} again already")
            async with self._registry.marked(job_id, State.QUEUED):
                await self._submit([record.job])
        return self.look(job_id)

    async def cancel(self, job_id: str) -> Record:
        """End a download. A kill right after the answer does not bring it back."""
        async with self._registry.turn(job_id), self._host.use() as engine:
            self._changeable(job_id, "cancel")
            async with self._registry.marked(job_id, State.CANCELLED):
                engine.cancel(job_id)
        return self.look(job_id)

    async def delete(self, job_id: str) -> None:
        """Forget a finished download and its file. Raises `Conflict` for one that is not finished."""
        await self._settled(job_id)
        async with self._registry.turn(job_id):
            record = self._registry.find(job_id)
            if not record.state.final:
                raise Conflict(f"download {job_id!r} is {record.state}: cancel it first")
            await self._remove(job_id)

    def ended(self, loop: asyncio.AbstractEventLoop, status: Status) -> None:
        """The engine's `finished` port, from any thread."""
        loop.call_soon_threadsafe(self._note, status)

    async def tell_ends(self) -> None:
        """Publish and remember the ends of downloads, for ever; Redis may be away for as long as it likes."""
        await self._cancel_again()
        while True:
            record = await self._ended.get()
            if record.job.id in self._registry:
                await self._tell(record)
                self._observe(record)
            else:
                await self._clear(record.job.id)
            await self._conclude(record, record.job.id)

    async def _cancel_again(self) -> None:
        """Those that an earlier life was told to cancel, and was killed before it had."""
        async with self._host.use() as engine:
            for record in self._registry.all():
                if record.state is State.CANCELLED and not record.ended:
                    _end(engine, record.job.id)

    async def _conclude(self, record: Record, job_id: str) -> None:
        await self._forget(job_id)
        self._ending.pop(job_id, None)
        for waiter in self._waiting.pop(job_id, ()):
            if not waiter.done():  # whoever waited may have been cancelled
                waiter.set_result(record)

    def _note(self, status: Status) -> None:
        job_id = status.job.id
        if not status.state.final:
            log.error("the engine tells an end that is none", download=job_id, state=status.state)
            return
        known = job_id in self._registry
        record = self._registry.find(job_id) if known else Record(status.job, "", "", 0.0)
        self._ended.put_nowait(ended := record.with_status(status))
        if known:
            self._ending[job_id] = ended

    async def _tell(self, record: Record) -> None:
        delay = 0.1
        while True:
            try:
                if record.state is State.DONE and _has_checksum(record):
                    await publish(self._redis, FILES, announcement(record, self._public_url))
                return await self._remove(*await self._registry.finish(record))
            except (RedisError, StreamFull) as error:
                log.warning("cannot tell the end of a download yet", download=record.job.id, error=str(error))
                await asyncio.sleep(delay)
                delay = min(2 * delay, 5.0)

    async def _remove(self, *job_ids: str) -> None:
        for job_id in job_ids:
            await self._registry.remove(job_id)
            await self._clear(job_id)

    async def _clear(self, job_id: str) -> None:
        """Delete what is on the disk of a download that nobody knows any more."""
        try:
            await asyncio.to_thread(self._storage.remove, job_id)
        except StorageFailed as error:
            log.error("a file is left on the disk", download=job_id, error=str(error))

    async def _settled(self, job_id: str) -> Record:
        """One download now; an end that the engine has told is in Redis, too."""
        record = self.look(job_id)
        return await self._end_of(job_id) if record.state.final else record

    async def _end_of(self, job_id: str) -> Record:
        record = self._registry.find(job_id)
        if record.ended and job_id not in self._ending:
            return record
        waiter: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._waiting[job_id].append(waiter)
        return await waiter

    async def _submit(self, jobs: Sequence[Job]) -> None:
        async with self._host.use() as engine:
            for count, job in enumerate(jobs):
                try:
                    engine.submit(job)
                except Exception:
                    self._withdraw(engine, jobs[:count])
                    raise

    def _withdraw(self, engine: DownloadManager, jobs: Sequence[Job]) -> None:
        """Have the engine end `jobs`; from here on nobody knows them, however they end."""
        self._registry.drop(*(job.id for job in jobs))
        for job in jobs:
            _end(engine, job.id)

    async def _forget(self, job_id: str) -> None:
        async with self._host.use() as engine:
            try:
                engine.forget(job_id)
            except (UnknownJob, Conflict) as error:
                log.debug("not forgotten by the engine", download=job_id, error=str(error))

    async def _change(self, job_id: str, verb: str, state: State) -> Record:
        """Have the engine do it, then remember it; what cannot be remembered is undone."""
        async with self._registry.turn(job_id):
            self._changeable(job_id, verb)
            async with self._host.use() as engine:
                _do(engine, verb, job_id)
                try:
                    await self._registry.mark(job_id, state)
                except RedisError:
                    with suppress(Conflict, KeyError):
                        _do(engine, UNDO[verb], job_id)
                    raise
        return self.look(job_id)

    def _changeable(self, job_id: str, verb: str) -> None:
        record = self._ending.get(job_id) or self._registry.find(job_id)
        if record.state.final:
            raise Conflict(f"download {job_id!r} is {record.state}: too late to {verb} it")


def _has_checksum(record: Record) -> bool:
    if record.sha256 is None:
        log.error("the engine tells no checksum: the file is not announced", download=record.job.id)
    return record.sha256 is not None


def _end(engine: DownloadManager, job_id: str) -> None:
    """Cancel a download, unless it ends by itself."""
    with suppress(Conflict, UnknownJob):
        engine.cancel(job_id)


def _do(engine: DownloadManager, verb: str, job_id: str) -> None:
    change: Any = getattr(engine, verb)
    change(job_id)
