"""The shell of T1: routes, streams in and out, errors to status codes."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Discriminator, Field, Tag

from downloader.adapters.cores import home_core
from downloader.adapters.desk import Desk
from downloader.adapters.faults import FAULTS, FaultyStorage, FaultyTransport
from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.notes import Request
from downloader.adapters.registry import Record, Registry
from downloader.adapters.storage import FileStorage
from downloader.adapters.transport import HttpTransport
from downloader.config import Settings
from downloader.contract import (
    Busy,
    Conflict,
    DownloadManager,
    InvalidJob,
    Ports,
    Refused,
    State,
    Status,
    UnknownJob,
)
from downloader.metrics import DownloadMetrics, EngineStats, TransportMetrics
from lab_kit.engines import EngineHost, engine_class
from lab_kit.faults import Faults
from lab_kit.metrics import Metrics, Unbroken
from lab_kit.ports import SystemClock
from lab_kit.shell import Service
from lab_kit.streams import Consumer, connect
from lab_kit.timeline import Timeline

DOWNLOADS, GROUP = "lab:downloads", "downloader"
STATUSES: dict[type[Exception], int] = {
    InvalidJob: 422,
    UnknownJob: 404,
    Conflict: 409,
    Busy: 429,
    Refused: 403,
}
EVENT_SECONDS = 0.5

type Batch = Annotated[list[Request], Field(min_length=1, max_length=1000)]
type Wanted = Annotated[
    Annotated[Request, Tag("download")] | Annotated[Batch, Tag("downloads")],
    Discriminator(lambda given: _kind(given)),
]
type PageSize = Annotated[int, Query(ge=1, le=1000)]


def build(settings: Settings) -> Service:
    """Put the parts together; nothing runs yet."""
    name, timeline, cores = "downloader", Timeline(), home_core()
    metrics, faults, clock = Metrics(name), Faults(*FAULTS), SystemClock()
    hosts = AllowedHosts(settings.allowed_hosts, settings.lab_origin_url)
    storage, network = FileStorage(settings.lab_data), TransportMetrics(metrics)
    redis = connect(settings.redis_url)

    def build_engine(engine: str) -> DownloadManager:
        measured, loop = metrics.of(engine, timeline), asyncio.get_running_loop()
        downloads.begin(engine)
        transport = network.wrap(HttpTransport(hosts), engine)

        def finished(status: Status) -> None:
            desk.ended(loop, status)

        ports = Ports(
            clock=clock,
            executor=measured.executor,
            gather=cores.gather,
            spread=cores.spread,
            lock=measured.lock,
            tracer=timeline,
            transport=FaultyTransport(transport, faults, clock),
            storage=FaultyStorage(storage, faults, clock),
            finished=finished,
        )
        manager: DownloadManager = engine_class(name, engine, settings.lab_workspace)(ports, settings.limits)
        return manager

    host = EngineHost(build_engine, unfinished=lambda: desk.unfinished())
    downloads = DownloadMetrics(metrics, lambda: host.name, lambda: host.engine.stats())

    def observe(record: Record) -> None:
        downloads.ended(record.state, (record.finished or 0.0) - record.created)

    desk = Desk(redis, Registry(redis), host, hosts, storage, settings.public_url, observe)
    metrics.registry.register(Unbroken(EngineStats(name, lambda: host.name, lambda: host.engine.stats())))
    consumer = Consumer(redis, DOWNLOADS, GROUP, desk.handle, name="downloader", prefetch=32)
    return Service(
        name=name,
        settings=settings,
        metrics=metrics,
        host=host,
        faults=faults,
        timeline=timeline,
        routes=[Routes(desk, storage).router()],
        statuses=STATUSES,
        dependencies={"redis": redis.ping},
        tasks=[desk.tell_ends, consumer.run, lambda: metrics.watch_stream(redis, DOWNLOADS, GROUP)],
    )


class Routes:
    """The API under /v1."""

    def __init__(self, desk: Desk, storage: FileStorage) -> None:
        self._desk, self._storage = desk, storage

    def router(self) -> APIRouter:
        api = APIRouter(prefix="/v1", tags=["downloads"])
        one = "/downloads/{job_id}"
        api.post("/downloads", status_code=202)(self.create)
        api.get("/downloads")(self.page)
        api.get(one)(self.look)
        api.post(one + "/pause")(self.pause)
        api.post(one + "/resume")(self.resume)
        api.post(one + "/cancel")(self.cancel)
        api.delete(one, status_code=204)(self.delete)
        known = [Depends(self.look)]  # before the answer begins, so that an unknown download is a 404
        api.get(one + "/events", response_class=EventSourceResponse, dependencies=known)(self.events)
        api.get("/files/{job_id}")(self.file)
        return api

    async def create(self, wanted: Wanted) -> dict[str, Any] | list[dict[str, Any]]:
        """Accept one download or a list of them, all or none; durable before the answer."""
        requests = wanted if isinstance(wanted, list) else [wanted]
        trace = uuid.uuid4().hex
        accepted = await self._desk.accept([(uuid.uuid4().hex, request, trace) for request in requests])
        shown = [_shown(record) for record in accepted]
        return shown if isinstance(wanted, list) else shown[0]

    async def page(
        self, state: State | None = None, after: str | None = None, limit: PageSize = 100
    ) -> dict[str, Any]:
        """Newest first; `next` is the `after` of the next page, null on the last."""
        found = self._desk.page(state, after, limit + 1)
        following = found[limit - 1].job.id if len(found) > limit else None
        return {"items": [_shown(record) for record in found[:limit]], "next": following}

    async def look(self, job_id: str) -> dict[str, Any]:
        """One download now."""
        return _shown(self._desk.look(job_id))

    async def pause(self, job_id: str) -> dict[str, Any]:
        """Stop fetching; keep what is here."""
        return _shown(await self._desk.pause(job_id))

    async def resume(self, job_id: str) -> dict[str, Any]:
        """Go on with a paused download, or try a failed one again."""
        return _shown(await self._desk.resume(job_id))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """End a download and discard what is here."""
        return _shown(await self._desk.cancel(job_id))

    async def delete(self, job_id: str) -> Response:
        """Forget a finished download and delete its file."""
        await self._desk.delete(job_id)
        return Response(status_code=204)

    async def events(self, job_id: str) -> AsyncIterator[ServerSentEvent]:
        """Progress as it changes, until the download has ended."""
        last = None
        while True:
            record = self._desk.look(job_id)
            if record != last:
                last = record
                yield ServerSentEvent(event=record.state, data=_shown(record))
            if record.state.final:
                return
            await asyncio.sleep(EVENT_SECONDS)

    async def file(self, job_id: str) -> FileResponse:
        """The finished file, with ranges; always as bytes to save, never as a page to show."""
        record = self._desk.look(job_id)
        if record.state is not State.DONE:
            raise Conflict(f"download {job_id!r} is {record.state}: there is no file yet")
        path, name = self._storage.path(job_id), record.name or job_id
        return FileResponse(path, media_type="application/octet-stream", filename=name)


def _kind(given: object) -> str:
    return "downloads" if isinstance(given, list) else "download"


def _shown(record: Record) -> dict[str, Any]:
    shown = asdict(record)
    job = shown.pop("job")
    identity = {name: job[name] for name in ("id", "url", "priority")}
    return {**identity, "expected_sha256": job["sha256"], **shown}
