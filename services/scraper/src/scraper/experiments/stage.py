"""The real engine on a web in memory, in virtual time: a crawl of an hour takes a second, and shows the same."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from lab.grader.virtual import virtual_loop
from scraper.checks.web import Web
from scraper.checks.world import World
from scraper.contract import Crawler, Limits
from scraper.engine import Crawler as Reference

__all__ = ["HOST", "crawled"]

HOST = "site.test"
LONGEST = 7200.0


def crawled(limits: Limits, web: Web, engine: type[Crawler] = Reference, *, seconds: float = LONGEST) -> Web:
    """`web` after a crawl that begins at the first page of `HOST`, with a note of every request."""

    async def crawl() -> None:
        async with World(engine, limits, web) as world:
            await world.crawl(f"http://{HOST}/", seconds=seconds)

    _run(crawl)
    return web


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(work())
