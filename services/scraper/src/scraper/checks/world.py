"""One engine in a scripted world."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Self

from scraper.adapters.html import parse_page
from scraper.adapters.memory import MemoryFrontier
from scraper.adapters.robots import parse_robots
from scraper.checks.web import Web
from scraper.contract import Crawl, Crawler, Found, Limits, Page, Ports, Status
from scraper.core.urls import host_of, origin_of

__all__ = ["LIMITS", "World"]

LIMITS = Limits(
    workers=8, per_domain=2, rate=100.0, burst=100, window=64, ahead=8, retry_base=1.0, retry_cap=8.0,
    retries=3, breaker_calls=5, breaker_window=60.0, breaker_seconds=20.0,
)  # fmt: skip
LARGE, SLOW_SECONDS = 200 * 1024, 0.4


class World:
    """A web, a frontier and chance for one engine; `pages` are those it finished, `ended` the ends it told of.
    The hosts in `theirs` are another engine's."""

    def __init__(self, engine: type[Crawler], limits: Limits = LIMITS, web: Web | None = None) -> None:
        self.engine, self.limits, self.web = engine, limits, web or Web()
        self.pages: list[Page] = []
        self.ended: list[Status] = []
        self.theirs: set[str] = set()
        self.frontier = MemoryFrontier(self.pages.append)
        self.crawler = self.build()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            await self.crawler.stop(0.0)
        except Exception:
            if error is None:  # what went wrong first says more
                raise

    def build(self, **limits: float) -> Crawler:
        """Another engine in the same world."""
        ports = Ports(
            fetcher=self.web,
            frontier=self.frontier,
            parse_page=_parse,
            parse_robots=parse_robots,
            offload=asyncio.to_thread,
            allowed=lambda url: ".test" in url,
            ours=lambda url: host_of(origin_of(url)) not in self.theirs,
            random=Random(1),
            finished=self.ended.append,
        )
        return self.engine(ports, replace(self.limits, **limits))  # type: ignore[arg-type]  # fields of limits

    async def crawl(self, *seeds: str, seconds: float = 600.0, **about: object) -> Status:
        """Crawl from `seeds`, for at most `seconds`; how far it came. The engine is stopped then."""
        status = await self.begin(*seeds, **about)
        status = await self.until(lambda: self.crawler.status(status.crawl.id).state.final, status, seconds)
        await self.crawler.stop(0.0)
        return status

    async def begin(self, *seeds: str, **about: object) -> Status:
        """Start the engine and submit a crawl."""
        await self.crawler.start([])
        return await self.submit(*seeds, **about)

    async def submit(self, *seeds: str, **about: object) -> Status:
        crawl = replace(Crawl(seeds), **about)  # type: ignore[arg-type]  # the fields of a crawl
        await self.crawler.submit(crawl)
        return self.crawler.status(crawl.id)

    async def until(self, happened: Callable[[], bool], status: Status, seconds: float = 600.0) -> Status:
        """Wait until it has happened, at most `seconds`."""
        deadline = self.now() + seconds
        while not happened() and self.now() < deadline:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.05)
        return self.crawler.status(status.crawl.id)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def fetched(self, host: str = "") -> list[str]:
        """The URLs of the finished pages that were answered, of `host` or of all."""
        return sorted(
            page.link.url for page in self.pages if page.error is None and f"//{host}" in page.link.url
        )

    def errors(self) -> list[str | None]:
        return [page.error for page in self.pages if page.error]


def _parse(body: bytes, content_type: str) -> Found:
    """A large page takes as long as a slow machine needs for it."""
    until = time.thread_time() + (SLOW_SECONDS if len(body) >= LARGE else 0.0)
    while time.thread_time() < until:
        pass
    return parse_page(body, content_type)
