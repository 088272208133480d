"""Which crawls there are and what was decided about them, for all replicas. In Redis."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from redis.asyncio import Redis

from scraper.adapters import scripts
from scraper.adapters.frontier import prefix
from scraper.contract import Crawl, State, UnknownCrawl

__all__ = ["Record", "Registry"]

RECORDS = "lab:scraper:crawls"
KEEP, PAGES = 100, 500


@dataclass(frozen=True, slots=True)
class Record:
    """A crawl as its users know it. UNIX time in seconds."""

    crawl: Crawl
    trace: str
    created: float
    state: State = State.RUNNING
    finished: float | None = None
    name: str = ""


class Registry:
    """Every method asks Redis: other replicas write there, too."""

    def __init__(self, redis: Redis) -> None:
        self._redis: Any = redis
        self._forget = self._redis.register_script(scripts.FORGET)
        self._exchange = self._redis.register_script(scripts.EXCHANGE)

    async def all(self) -> list[Record]:
        """Newest first."""
        stored = await self._redis.hvals(RECORDS)
        return sorted(map(_decode, stored), key=lambda record: record.created, reverse=True)

    async def find(self, crawl_id: str) -> Record:
        """Raises `UnknownCrawl`."""
        return _decode(await self._stored(crawl_id))

    async def add(self, crawl: Crawl, trace: str, name: str = "") -> Record:
        """Remember a new crawl; of those that have ended, the newest `KEEP`."""
        record = Record(crawl, trace, time.time(), name=name)
        await self._redis.hset(RECORDS, crawl.id, _encode(record))
        ended = [one for one in await self.all() if one.state.final]
        for old in ended[KEEP:]:
            await self.remove(old.crawl.id)
        return record

    async def mark(self, crawl_id: str, state: State) -> Record:
        """Remember `state`, unless the crawl has ended before; what is known then. Raises `UnknownCrawl`."""
        while True:
            stored = await self._stored(crawl_id)
            record = _decode(stored)
            if record.state.final:
                return record
            record = replace(record, state=state, finished=time.time() if state.final else None)
            if await self._exchange(keys=[RECORDS], args=[crawl_id, stored, _encode(record)]):
                return record

    async def remove(self, crawl_id: str) -> None:
        """Forget a crawl that has ended, and its pages."""
        await self._redis.hdel(RECORDS, crawl_id)
        await self._forget(keys=[prefix(crawl_id)])

    async def pages(self, crawl_id: str, after: int, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` pages in the order in which they were kept, beginning behind `after` of them."""
        found = await self._redis.lrange(prefix(crawl_id) + "pages", after, after + limit - 1)
        return [_page(text) for text in found]

    async def every_page(self, crawl_id: str) -> AsyncIterator[dict[str, Any]]:
        """All pages kept so far."""
        after = 0
        while found := await self.pages(crawl_id, after, PAGES):
            after += len(found)
            for page in found:
                yield page

    async def _stored(self, crawl_id: str) -> str:
        stored: str | None = await self._redis.hget(RECORDS, crawl_id)
        if stored is None:
            raise UnknownCrawl(f"no crawl {crawl_id!r}")
        return stored


def _encode(record: Record) -> str:
    return json.dumps(asdict(record))


def _decode(raw: str) -> Record:
    found = json.loads(raw)
    crawl = found.pop("crawl")
    crawl |= {"seeds": tuple(crawl["seeds"]), "prefer": tuple(crawl["prefer"])}
    return Record(crawl=Crawl(**crawl), state=State(found.pop("state")), **found)


def _page(text: str) -> dict[str, Any]:
    """A page with its links as whole URLs: within a site they are kept without it."""
    page: dict[str, Any] = json.loads(text)
    origin = page["url"][: page["url"].index("/", 8)]
    page["links"] = [origin + link if link.startswith("/") else link for link in page["links"]]
    return page
