"""A learner's engine on a small site in memory: a real loop, and no lab running."""

import asyncio
import traceback

from rich.console import Console
from rich.table import Table

from scraper.checks.web import Web
from scraper.checks.world import World
from scraper.contract import Crawler, Limits

__all__ = ["tryout"]

LONGEST = 10.0


def tryout(engine: type[Crawler], console: Console | None = None) -> bool:
    """Crawl ten pages, one of them disallowed, and show what came; whether it is what should."""
    console = console or Console()
    web = Web(latency=0.05)
    web.site("try.test", 9)
    web.page("http://try.test/", *(f"/{number}" for number in range(1, 9)), "/private")
    web.robots("try.test", "User-agent: *\nDisallow: /private")
    try:
        world = asyncio.run(_run(engine, web))
    except RuntimeError as error:
        if error.args:
            raise
        *_, place = traceback.extract_tb(error.__traceback__)
        console.print(
            f"Not written yet: [bold]{place.name}[/], line {place.lineno}. The comment says what for."
        )
        return False
    console.print(_table(web))
    right = len(world.fetched()) == 9 and not web.times("http://try.test/private")
    console.print(
        "It works on a sunny day. Now: [bold]lab check A1[/]" if right else "Not yet: 9 pages, not /private."
    )
    return right


async def _run(engine: type[Crawler], web: Web) -> World:
    world = World(engine, Limits(), web)
    await world.crawl("http://try.test/", seconds=LONGEST)
    return world


def _table(web: Web) -> Table:
    table = Table("seconds", "asked for")
    began = web.asked[0].at if web.asked else 0.0
    for asked in web.asked:
        table.add_row(f"{asked.at - began:.2f}", asked.url)
    return table
