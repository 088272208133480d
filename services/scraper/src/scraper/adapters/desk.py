"""Between the outside and the engine: accepts crawls durably, follows what other replicas do, hands on files."""

import asyncio
import hashlib
import json
import posixpath
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lab_kit.engines import EngineHost
from lab_kit.messages import Message
from lab_kit.streams import StreamFull, publish
from scraper.adapters.frontier import FILES, RedisFrontier
from scraper.adapters.registry import Record, Registry
from scraper.contract import Conflict, Crawl, Crawler, CrawlError, State, Status, UnknownCrawl

__all__ = ["DOWNLOADS", "Desk", "Request"]

DOWNLOADS = "lab:downloads"
FOLLOW_SECONDS, RETRY_SECONDS = 1.0, 0.5
log = structlog.get_logger(__name__)


class Request(BaseModel, extra="forbid"):
    """A crawl that somebody wants."""

    seeds: list[str] = Field(min_length=1, max_length=1000)
    depth: int = Field(default=10, ge=0, le=100)
    pages: int = Field(default=1000, ge=1, le=1_000_000)
    domain_pages: int = Field(default=10_000, ge=1, le=1_000_000)
    domains: int = Field(default=1000, ge=1, le=100_000)
    prefer: list[str] = Field(default_factory=list, max_length=20)
    crawl_delay: bool = False
    name: str = Field(default="", max_length=100)

    def crawl(self, crawl_id: str) -> Crawl:
        given = self.model_dump(exclude={"name"}) | {"seeds": tuple(self.seeds), "prefer": tuple(self.prefer)}
        return Crawl(**given, id=crawl_id)


class Desk:
    """For the shell's one event loop. What it accepted is in Redis before it says so."""

    def __init__(
        self,
        redis: Redis,
        host: EngineHost[Crawler],
        frontier: RedisFrontier,
        registry: Registry,
        observe: Callable[[Record], None],
    ) -> None:
        self._redis: Any = redis
        self._host, self._frontier, self._registry, self._observe = host, frontier, registry, observe
        self._ended: asyncio.Queue[Status] = asyncio.Queue()

    async def unfinished(self) -> Sequence[Crawl]:
        """The crawls an earlier life of the service left, or another replica is at."""
        records = await self._registry.all()
        return [
            replace(record.crawl, paused=record.state is State.PAUSED)
            for record in records
            if not record.state.final
        ]

    async def accept(self, crawl_id: str, request: Request, trace: str) -> dict[str, Any]:
        """Take on a crawl. Raises what the engine raises."""
        crawl = request.crawl(crawl_id)
        record = await self._registry.add(crawl, trace, request.name)
        try:
            async with self._host.use() as engine:
                with suppress(Conflict):  # `follow` has found the record, and was faster
                    await engine.submit(crawl)
        except Exception:
            await self._registry.remove(crawl_id)
            raise
        return await self._shown(record)

    async def look(self, crawl_id: str) -> dict[str, Any]:
        """One crawl now, as all replicas together see it. Raises `UnknownCrawl`."""
        return await self._shown(await self._registry.find(crawl_id))

    async def all(self) -> list[dict[str, Any]]:
        return [await self._shown(record) for record in await self._registry.all()]

    async def change(self, crawl_id: str, verb: str, state: State) -> dict[str, Any]:
        """Remember what was decided, then have this engine do it; the others follow within a second."""
        record = await self._registry.find(crawl_id)
        if record.state.final or record.state is state:
            raise Conflict(f"crawl {crawl_id!r} is {record.state}: too late to {verb} it")
        record = await self._registry.mark(crawl_id, state)
        if record.state is not state:
            raise Conflict(f"crawl {crawl_id!r} is {record.state} meanwhile: too late to {verb} it")
        await self._apply(record)
        return await self._shown(record)

    async def delete(self, crawl_id: str) -> None:
        """Forget a crawl that has ended, and its pages. Raises `Conflict` for another."""
        record = await self._registry.find(crawl_id)
        if not record.state.final:
            raise Conflict(f"crawl {crawl_id!r} is {record.state}: cancel it first")
        await self._registry.remove(crawl_id)

    def ended(self, status: Status) -> None:
        """The engine's `finished` port."""
        self._ended.put_nowait(status)

    async def tell_ends(self) -> None:
        """Remember the ends of crawls, for ever; Redis may be away for as long as it likes."""
        while True:
            await self._told(await self._ended.get())

    async def follow(self) -> None:
        """Do what was decided at other replicas, for ever."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                await self._follow_others()
            except RedisError as error:
                log.debug("cannot look what others decided", error=str(error))

    async def hand_on_files(self) -> None:
        """Put the files that were found on the stream of downloads, for ever. A file may be put twice, under the
        same id."""
        while True:
            try:
                found = await self._redis.lrange(FILES, 0, 99)
                for text in found:
                    await publish(self._redis, DOWNLOADS, self._wanted(json.loads(text)))
                    # By its text: other replicas take from this list, too.
                    await self._redis.lrem(FILES, 1, text)
                await asyncio.sleep(0.0 if found else RETRY_SECONDS)
            except (RedisError, StreamFull) as error:
                log.debug("cannot hand on files yet", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _follow_others(self) -> None:
        opened = self._frontier.opened()
        records = await self._registry.all()
        for record in records:
            await self._apply(record)
        for deleted in opened - {record.crawl.id for record in records}:
            async with self._host.use() as engine:
                with suppress(CrawlError):
                    await engine.cancel(deleted)

    async def _told(self, status: Status) -> None:
        while True:
            try:
                return self._observe(await self._registry.mark(status.crawl.id, status.state))
            except UnknownCrawl:
                return
            except RedisError as error:
                log.warning("cannot tell the end of a crawl yet", crawl=status.crawl.id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _wanted(self, file: dict[str, str]) -> Message:
        identity = hashlib.sha256(f"{file['crawl']} {file['url']}".encode()).hexdigest()[:32]
        name = posixpath.basename(urlsplit(file["url"]).path)[:255]
        return Message("download.wanted", {"url": file["url"], "name": name}, file["crawl"], identity)

    async def _apply(self, record: Record) -> None:
        """Bring this engine to what was decided; what it cannot do now it does the next time."""
        async with self._host.use() as engine:
            with suppress(CrawlError):
                if _differs(engine, record):
                    # The record may be older than what was decided last.
                    await _brought(engine, await self._registry.find(record.crawl.id))

    async def _shown(self, record: Record) -> dict[str, Any]:
        counts = await self._frontier.counts(record.crawl.id)
        crawl = record.crawl
        return {
            "id": crawl.id,
            "name": record.name,
            "seeds": crawl.seeds,
            "state": record.state,
            "created": record.created,
            "finished": record.finished,
            "limits": {"depth": crawl.depth, "pages": crawl.pages, "domain_pages": crawl.domain_pages,
                       "domains": crawl.domains, "crawl_delay": crawl.crawl_delay},
            **counts,
        }  # fmt: skip


def _state(engine: Crawler, crawl_id: str) -> State | None:
    try:
        return engine.status(crawl_id).state
    except UnknownCrawl:
        return None


def _differs(engine: Crawler, record: Record) -> bool:
    """Whether the engine has to do something."""
    state = _state(engine, record.crawl.id)
    return not record.state.final if state is None else not state.final and state is not record.state


async def _brought(engine: Crawler, record: Record) -> None:
    """Have the engine do what was decided of a crawl. Raises what the engine raises."""
    crawl = record.crawl
    if not _differs(engine, record):
        return
    if _state(engine, crawl.id) is None:
        await engine.submit(replace(crawl, paused=record.state is State.PAUSED))
    elif record.state.final:
        await engine.cancel(crawl.id)
    elif record.state is State.PAUSED:
        await engine.pause(crawl.id)
    else:
        await engine.resume(crawl.id)
