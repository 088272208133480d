"""The frontier in Redis: it outlives every engine, and several share it."""

import asyncio
import json
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from scraper.adapters import scripts
from scraper.adapters.leases import ALIVE, BEATS, RESTING, Leases
from scraper.contract import Crawl, FrontierUnavailable, Link, Page, Taken
from scraper.core.seen import fingerprint
from scraper.core.shares import rank
from scraper.core.urls import host_of, origin_of, path_of

__all__ = ["FILES", "RedisFrontier", "prefix"]

FILES = "lab:scraper:files"
BUCKETS = 4096
"""Sets of fingerprints: of up to 512 integers each, which Redis keeps in eight bytes each."""
KNOWN, BATCH = 100_000, 64


def prefix(crawl: str) -> str:
    """Of the keys of one crawl, all in one slot."""
    return f"lab:scraper:{{{crawl}}}:"


class RedisFrontier:
    """See `contract.Frontier`. Links are taken of hosts that `leases` holds. They stay this engine's while `beat`
    runs; of one that has died they are given back. Pages that end at about the same time are written together.

    An answer of Redis may be lost, or an engine end while Redis is away: then links are this replica's that nobody
    here knows of. Who takes links with none in hand gives those back first.
    """

    def __init__(self, redis: Redis, leases: Leases) -> None:
        self._redis: Any = redis
        self._leases, self.owner = leases, leases.owner
        names = ("OPEN", "TAKE", "FINISH", "GIVE_BACK", "REAP", "CLOSE")
        self._scripts = {name: self._redis.register_script(getattr(scripts, name)) for name in names}
        self._crawls: dict[str, Crawl] = {}
        self._known: dict[str, set[str]] = {}
        self._held: dict[str, set[object]] = {}
        self._written: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, deque[tuple[Page, asyncio.Future[bool]]]] = {}

    async def open(self, crawl: Crawl, links: Sequence[Link]) -> None:
        self._crawls[crawl.id], self._held[crawl.id] = crawl, set()
        bounds = (crawl.pages, crawl.domain_pages, crawl.domains)
        seeds = [_pack(link, rank(link, crawl.prefer)) for link in links]
        await self._call("OPEN", crawl.id, *bounds, json.dumps(seeds))

    async def take(self, crawl: str, most: int, skip: Collection[str]) -> Taken:
        held, asking = self._held.setdefault(crawl, set()), object()
        asked: tuple[str | int, ...] = (self.owner, most, self._leases.held(), int(not held), *skip)
        held.add(asking)  # what is on its way from Redis is not lost
        try:
            unfinished, found = await self._call("TAKE", crawl, *asked, keys=(RESTING,))
            links = [_link(origin, item) for origin, item in zip(found[::2], found[1::2], strict=True)]
            held.update([link.url for link in links])
        finally:
            held.discard(asking)
        return Taken(links, unfinished)

    async def finish(self, crawl: str, page: Page) -> bool:
        ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(crawl, deque()).append((page, ended))
        if crawl not in self._written:
            # A task of its own: a visit that is cancelled does not cancel what others have written.
            self._written[crawl] = asyncio.create_task(self._write(crawl), name="frontier")
        return await ended

    async def give_back(self, crawl: str, links: Sequence[Link]) -> None:
        urls = [link.url for link in links]
        await self._call("GIVE_BACK", crawl, self.owner, *urls)
        self._out_of_hand(crawl, urls)

    async def close(self, crawl: str) -> None:
        await self._call("CLOSE", crawl)
        for kept in (self._crawls, self._known, self._held):
            kept.pop(crawl, None)

    def opened(self) -> set[str]:
        """The crawls that were begun here, and not closed."""
        return set(self._crawls)

    async def counts(self, crawl: str) -> dict[str, int]:
        """Of all engines together: waiting, held, done, fetched, failed."""
        found = await self._redis.hgetall(prefix(crawl) + "c")
        return {name: int(found.get(name, 0)) for name in ("waiting", "held", "done", "fetched", "failed")}

    async def beat(self) -> None:
        """Live, and look who does not, for ever; Redis may be away for a while. Cancelled, leave at once."""
        try:
            while True:
                with suppress(RedisError, FrontierUnavailable):
                    await self._leases.renew()
                    for crawl in list(self._crawls):
                        await self._call("REAP", crawl, keys=(ALIVE,))
                await asyncio.sleep(self._leases.seconds / BEATS)
        finally:
            with suppress(RedisError):
                await self._leases.leave()

    async def _write(self, crawl: str) -> None:
        waiting = self._waiting[crawl]
        try:
            while waiting:
                batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
                await self._written_together(crawl, batch)
        finally:
            del self._written[crawl], self._waiting[crawl]

    async def _written_together(self, crawl: str, batch: Sequence[tuple[Page, asyncio.Future[bool]]]) -> None:
        try:
            texts = [self._text(crawl, page) for page, _ in batch]
            kept = await self._call("FINISH", crawl, self.owner, *texts, keys=(FILES,))
        except Exception as error:
            self._known.pop(crawl, None)  # nobody knows whether their links were added
            for _, ended in batch:
                if not ended.done():
                    ended.set_exception(error)
            return
        self._out_of_hand(crawl, [page.link.url for page, _ in batch])
        if not all(kept):
            self._known.pop(crawl, None)  # what a page that is not ours any more links to was not added
        for (_, ended), one in zip(batch, kept, strict=True):
            if not ended.done():  # whoever waited may have been cancelled
                ended.set_result(bool(one))

    def _out_of_hand(self, crawl: str, urls: Iterable[str]) -> None:
        if held := self._held.get(crawl):
            held.difference_update(urls)

    async def _call(self, name: str, crawl: str, *arguments: str | int, keys: Sequence[str] = ()) -> Any:
        try:
            return await self._scripts[name](keys=[prefix(crawl), *keys], args=arguments)
        except RedisError as error:
            raise FrontierUnavailable(f"the frontier of crawl {crawl!r}: {error}") from error

    def _text(self, crawl: str, page: Page) -> str:
        link, home = page.link, len(origin_of(page.link.url))
        site = page.link.url[: home + 1]
        shown = {
            "url": link.url, "depth": link.depth, "status": page.status, "error": page.error, "title": page.title,
            "size": page.size, "seconds": round(page.seconds, 4), "index": page.index,
            "links": [one.url[home:] if one.url.startswith(site) else one.url for one in page.follow],
        }  # fmt: skip
        files = [json.dumps({"crawl": crawl, "url": url}) for url in page.files]
        outcome = "failed" if page.error else "fetched"
        new = self._packed(self._crawls[crawl], page.follow) if crawl in self._crawls else []
        text = {"url": link.url, "outcome": outcome, "page": json.dumps(shown), "files": files, "links": new}
        return json.dumps(text)

    def _packed(self, crawl: Crawl, links: Iterable[Link]) -> list[list[object]]:
        """Those that this engine has not sent before: most links of a page lead to what is long known."""
        known = self._known.setdefault(crawl.id, set())
        if len(known) > KNOWN:
            known.clear()
        new = [link for link in links if link.url not in known and link.depth <= crawl.depth]
        known.update(link.url for link in new)
        return [_pack(link, rank(link, crawl.prefer)) for link in new]


def _pack(link: Link, place: int) -> list[object]:
    mark, origin = fingerprint(link.url), origin_of(link.url)
    item = f"{link.depth} {link.hops} {path_of(link.url)}"
    return [origin, host_of(origin), str(mark % BUCKETS), str(mark // BUCKETS), place, item]


def _link(origin: str, item: str) -> Link:
    depth, hops, path = item.split(" ", 2)
    return Link(origin + path, int(depth), int(hops))
