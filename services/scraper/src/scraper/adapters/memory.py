"""A frontier in memory, for one engine alone: nothing of it outlives the process."""

from collections.abc import Callable, Collection, Sequence

from scraper.contract import Crawl, Link, Page, Taken
from scraper.core.shares import Shares

__all__ = ["MemoryFrontier"]


class MemoryFrontier:
    """See `contract.Frontier`; `keep` gets each page that is finished."""

    def __init__(self, keep: Callable[[Page], object] = lambda page: None) -> None:
        self._keep = keep
        self._crawls: dict[str, Shares] = {}

    async def open(self, crawl: Crawl, links: Sequence[Link]) -> None:
        if crawl.id not in self._crawls:
            self._crawls[crawl.id] = Shares(crawl)
        self._crawls[crawl.id].add(links)

    async def take(self, crawl: str, most: int, skip: Collection[str]) -> Taken:
        shares = self._crawls[crawl]
        return Taken(shares.take(most, skip), shares.unfinished)

    async def finish(self, crawl: str, page: Page) -> bool:
        shares = self._crawls[crawl]
        if not shares.holds(page.link):
            return False
        shares.finish(page.link)
        shares.add(page.follow)
        self._keep(page)
        return True

    async def give_back(self, crawl: str, links: Sequence[Link]) -> None:
        shares = self._crawls[crawl]
        shares.give_back([link for link in links if shares.holds(link)])

    async def close(self, crawl: str) -> None:
        self._crawls[crawl].close()

    def held(self) -> list[Link]:
        """Links in somebody's hands."""
        return [link for shares in self._crawls.values() for link in shares.held]
