"""The shell of A1: routes, what is durable before the answer, errors to status codes."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from lab_kit.coroutines import measured
from lab_kit.engines import EngineHost, engine_class
from lab_kit.faults import Faults
from lab_kit.metrics import Metrics, Unbroken
from lab_kit.shell import Service
from lab_kit.streams import connect
from lab_kit.timeline import Timeline
from scraper.adapters.desk import Desk, Request
from scraper.adapters.faults import FAULTS, FaultyFetcher
from scraper.adapters.fetcher import HttpFetcher
from scraper.adapters.frontier import RedisFrontier
from scraper.adapters.hosts import AllowedHosts
from scraper.adapters.html import parse_page
from scraper.adapters.leases import LeasedFetcher, Leases
from scraper.adapters.offload import Offload
from scraper.adapters.registry import Record, Registry
from scraper.adapters.robots import parse_robots
from scraper.config import Settings
from scraper.contract import (
    Busy,
    Conflict,
    Crawler,
    FrontierUnavailable,
    InvalidCrawl,
    Ports,
    State,
    UnknownCrawl,
)
from scraper.metrics import CrawlMetrics, EngineStats, FetchMetrics

STATUSES: dict[type[Exception], int] = {
    InvalidCrawl: 422,
    UnknownCrawl: 404,
    Conflict: 409,
    Busy: 429,
    FrontierUnavailable: 503,
}
EVENT_SECONDS = 0.5

type PageSize = Annotated[int, Query(ge=1, le=1000)]
type Offset = Annotated[int, Query(ge=0)]


def build(settings: Settings) -> Service:
    """Put the parts together; nothing runs yet."""
    name, timeline = "scraper", Timeline()
    metrics, faults, redis = Metrics(name), Faults(*FAULTS), connect(settings.redis_url)
    hosts = AllowedHosts(settings.allowed_hosts, settings.lab_origin_url)
    limits, registry = settings.limits, Registry(redis)
    # A request that a worker has begun waits for no other: waiting would count as the host's slowness.
    fetcher = HttpFetcher(hosts, connections=limits.workers)
    network, offload = FetchMetrics(metrics), Offload()
    leases = Leases(redis, rest=limits.burst / limits.rate)
    frontier, leased = RedisFrontier(redis, leases), LeasedFetcher(FaultyFetcher(fetcher, faults), leases)

    def build_engine(engine: str) -> Crawler:
        loop = asyncio.get_running_loop()
        crawls.begin(engine, loop)
        stats.begin(loop)
        common = measured(metrics.of(engine, timeline), limits.workers, timeline)
        ports = Ports(
            **{one.name: getattr(common, one.name) for one in fields(common)},
            fetcher=network.wrap(leased, engine, time.perf_counter),
            frontier=frontier,
            parse_page=parse_page,
            parse_robots=parse_robots,
            offload=offload.run,
            allowed=hosts.allows,
            ours=leases.holds,
            finished=lambda status: desk.ended(status),
        )
        crawler: Crawler = engine_class(name, engine, settings.lab_workspace)(ports, limits)
        return crawler

    host = EngineHost(build_engine, unfinished=lambda: desk.unfinished())
    crawls = CrawlMetrics(metrics, lambda: host.name, lambda: host.engine.stats())

    def observe(record: Record) -> None:
        crawls.ended(record.state, (record.finished or record.created) - record.created)

    desk = Desk(redis, host, frontier, registry, observe)
    stats = EngineStats(
        name, lambda: host.name, lambda: host.engine.stats(), lambda: host.engine.domains(), limits.rate
    )
    metrics.registry.register(Unbroken(stats))
    return Service(
        name=name,
        settings=settings,
        metrics=metrics,
        host=host,
        faults=faults,
        timeline=timeline,
        routes=[Routes(desk, registry, host).router()],
        statuses=STATUSES,
        dependencies={"redis": redis.ping},
        tasks=[desk.tell_ends, desk.follow, desk.hand_on_files, frontier.beat],
    )


class Routes:
    """The API under /v1."""

    def __init__(self, desk: Desk, registry: Registry, host: EngineHost[Crawler]) -> None:
        self._desk, self._registry, self._host = desk, registry, host

    def router(self) -> APIRouter:
        api = APIRouter(prefix="/v1", tags=["crawls"])
        one = "/crawls/{crawl_id}"
        known = [Depends(self.look)]  # before the answer begins, so that an unknown crawl is a 404
        api.post("/crawls", status_code=202)(self.create)
        api.get("/crawls")(self.all)
        api.get(one)(self.look)
        api.post(one + "/pause")(self.pause)
        api.post(one + "/resume")(self.resume)
        api.post(one + "/cancel")(self.cancel)
        api.delete(one, status_code=204)(self.delete)
        api.get(one + "/events", response_class=EventSourceResponse, dependencies=known)(self.events)
        api.get(one + "/pages", dependencies=known)(self.pages)
        api.get(one + "/links", dependencies=known)(self.links)
        api.get(one + "/export", dependencies=known, response_class=StreamingResponse)(self.export)
        api.get("/domains")(self.domains)
        return api

    async def create(self, wanted: Request) -> dict[str, Any]:
        """Accept a crawl; durable before the answer."""
        return await self._desk.accept(uuid.uuid4().hex, wanted, uuid.uuid4().hex)

    async def all(self) -> list[dict[str, Any]]:
        """All crawls, newest first."""
        return await self._desk.all()

    async def look(self, crawl_id: str) -> dict[str, Any]:
        """One crawl now, as all replicas together see it."""
        return await self._desk.look(crawl_id)

    async def pause(self, crawl_id: str) -> dict[str, Any]:
        """Begin nothing new."""
        return await self._desk.change(crawl_id, "pause", State.PAUSED)

    async def resume(self, crawl_id: str) -> dict[str, Any]:
        """Go on."""
        return await self._desk.change(crawl_id, "resume", State.RUNNING)

    async def cancel(self, crawl_id: str) -> dict[str, Any]:
        """End it; its pages stay."""
        return await self._desk.change(crawl_id, "cancel", State.CANCELLED)

    async def delete(self, crawl_id: str) -> Response:
        """Forget a crawl that has ended, and its pages."""
        await self._desk.delete(crawl_id)
        return Response(status_code=204)

    async def events(self, crawl_id: str) -> AsyncIterator[ServerSentEvent]:
        """The crawl and the hosts it is at, as they change, until it has ended."""
        last = None
        while True:
            crawl = await self._desk.look(crawl_id)
            now = {**crawl, "domains": self._domains()}
            if now != last:
                last = now
                yield ServerSentEvent(event=crawl["state"], data=now)
            if State(crawl["state"]).final:
                return
            await asyncio.sleep(EVENT_SECONDS)

    async def pages(self, crawl_id: str, after: Offset = 0, limit: PageSize = 100) -> dict[str, Any]:
        """In the order in which they were kept; `next` is the `after` of the next page, null at the end."""
        found = await self._registry.pages(crawl_id, after, limit)
        return {"items": found, "next": after + limit if len(found) == limit else None}

    async def links(self, crawl_id: str, url: str) -> dict[str, Any]:
        """Where a page links to, and which pages link to it."""
        to: list[str] = []
        sources = []
        async for page in self._registry.every_page(crawl_id):
            to = page["links"] if page["url"] == url else to
            sources += [page["url"]] if url in page["links"] else []
        return {"url": url, "to": to, "from": sources}

    async def export(self, crawl_id: str, format: Literal["jsonl", "dot"] = "jsonl") -> StreamingResponse:
        """All pages, one JSON object a line; or the link graph, for Graphviz."""
        if format == "jsonl":
            return StreamingResponse(self._jsonl(crawl_id), media_type="application/x-ndjson")
        return StreamingResponse(self._graph(crawl_id), media_type="text/vnd.graphviz")

    async def domains(self) -> dict[str, Any]:
        """Every host this replica has met lately: tokens left, breaker, in flight, latency, errors."""
        return self._domains()

    def _domains(self) -> dict[str, Any]:
        return {name: asdict(status) for name, status in self._host.engine.domains().items()}

    async def _jsonl(self, crawl_id: str) -> AsyncIterator[str]:
        async for page in self._registry.every_page(crawl_id):
            yield json.dumps(page) + "\n"

    async def _graph(self, crawl_id: str) -> AsyncIterator[str]:
        yield "digraph crawl {\n"
        async for page in self._registry.every_page(crawl_id):
            node = json.dumps(page["url"])
            yield f"  {node} [status={page['status']}];\n"
            yield "".join(f"  {node} -> {json.dumps(link)};\n" for link in page["links"])
        yield "}\n"
