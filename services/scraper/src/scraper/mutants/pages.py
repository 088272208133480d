"""Mistakes about which pages are fetched, and how often."""

from collections.abc import Sequence
from dataclasses import replace

from scraper.contract import Answer, Crawl, Limits, Link, Ports
from scraper.mutants.spoiled import Mutant, spoiled_frontier, spoiled_web, without

__all__ = ["FollowsForEver", "LooksFirst", "OnlyReadsThePage", "TrustsTheSite"]


class LooksFirst(Mutant):
    """Asks for each page to see what it is, and again to read it."""

    caught_by = "every_page_comes_once"

    def spoil(self, ports: Ports) -> Ports:
        async def get(url: str) -> Answer:
            await ports.fetcher.get(url)
            return await ports.fetcher.get(url)

        return spoiled_web(ports, get)


class OnlyReadsThePage(Mutant):
    """Knows nofollow in HTML, and not in a header."""

    caught_by = "links_are_followed_as_asked"

    def spoil(self, ports: Ports) -> Ports:
        return without(ports, "x-robots-tag")


class FollowsForEver(Mutant):
    """Ends no chain of redirects."""

    caught_by = "redirects_end"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, redirects=1000)


class TrustsTheSite(Mutant):
    """Bounds the crawl, and no host."""

    caught_by = "traps_are_left"

    def spoil(self, ports: Ports) -> Ports:
        async def open(crawl: Crawl, links: Sequence[Link]) -> None:
            await ports.frontier.open(replace(crawl, domain_pages=crawl.pages), links)

        return spoiled_frontier(ports, open=open)
