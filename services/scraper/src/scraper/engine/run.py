"""One crawl: a task that takes links, and a task for each link taken. None outlives `end`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from scraper.contract import Crawl, FrontierUnavailable, Link, Page, Ports, State, Status
from scraper.core.urls import normalise
from scraper.engine.host import Withdrawn
from scraper.engine.hosts import Hosts
from scraper.engine.visit import Visits

__all__ = ["Run"]

POLL_SECONDS = 1.0
"""Between two looks for links that another engine may have added or given back."""


class Run:
    """The feeding task is never cancelled: it may just have taken links. Told to end, it gives them back."""

    def __init__(
        self, ports: Ports, crawl: Crawl, hosts: Hosts, visits: Visits, room: Callable[[], int]
    ) -> None:
        self._ports, self._hosts, self._visits, self._room = ports, hosts, visits, room
        self.crawl = crawl
        self.state = State.PAUSED if crawl.paused else State.RUNNING
        self.fetched = self.failed = self.unfinished = 0
        self._held: dict[asyncio.Task[None], Link] = {}
        self._news = asyncio.Event()
        self._deadline: float | None = None
        self._task = ports.spawn(self._main(), "crawl")

    def status(self) -> Status:
        crawl = replace(self.crawl, paused=self.state is State.PAUSED)
        return Status(crawl, self.state, self.fetched, self.failed, self.unfinished, len(self._held))

    def pause(self) -> None:
        self.state = State.PAUSED
        self._news.set()

    def resume(self) -> None:
        self.state = State.RUNNING
        self._news.set()

    async def end(self, deadline: float, state: State | None = None) -> None:
        """Take nothing more; what was begun may go on for `deadline` seconds. Whoever is cancelled while waiting
        for that has ended it all the same."""
        self.state = state or self.state
        self._deadline = deadline
        self._news.set()
        await asyncio.shield(self._task)

    async def _main(self) -> None:
        await self._persist(lambda: self._ports.frontier.open(self.crawl, self._seeds()))
        await self._feed()
        await self._wind_up()
        if self.state.final:
            await self._persist(lambda: self._ports.frontier.close(self.crawl.id))
            self.unfinished = 0
            self._ports.finished(self.status())

    async def _feed(self) -> None:
        while self._deadline is None:
            if self.state is State.PAUSED or not self._has_room():
                await self._changed(None)
            elif await self._take(min(self._room() - len(self._held), self._hosts.ahead)):
                return

    def _has_room(self) -> bool:
        """Whether it is worth asking for more: for a batch, or because nothing is in hand."""
        return len(self._held) <= self._room() * 7 // 8

    async def _take(self, most: int) -> bool:
        """Begin at most `most` links, which may all be of one host; whether the crawl is done."""
        idle = not self._held
        self._news.clear()
        taken = await self._persist(lambda: self._ports.frontier.take(self.crawl.id, most, self._hosts.full))
        if taken is None:
            return False
        self.unfinished = taken.unfinished
        for link in taken.links:
            self._begin(link)
        if idle and not taken.unfinished:
            self.state = self.state if self.state.final else State.DONE  # it may be cancelled meanwhile
            return True
        if not taken.links:
            await self._changed(POLL_SECONDS)
        return False

    async def _changed(self, seconds: float | None) -> None:
        """Wait until a link has ended or something was asked of this crawl, at most `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    def _begin(self, link: Link) -> None:
        self._hosts.began(link.url)
        task = self._ports.spawn(self._visit(link), "page")
        self._held[task] = link
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # One that was cancelled keeps its link in `_held`: it is given back.
        link = self._held[task]
        self._hosts.ended(link.url)
        if not task.cancelled():
            del self._held[task]
        if self._has_room():
            self._news.set()

    async def _visit(self, link: Link) -> None:
        try:
            page = await self._visits.visit(self.crawl, link, lambda: self._is_wanted(link))
        except Withdrawn:
            await self._persist(lambda: self._ports.frontier.give_back(self.crawl.id, [link]))
            return
        except Exception:
            # Told by the task that ends with it. A link in nobody's hands would keep the crawl from ending, too.
            self._visits.errors["bug"] += 1
            await self._finish(Page(link, error="bug"))
            raise
        await self._finish(page)

    async def _finish(self, page: Page) -> None:
        kept = await self._persist(lambda: self._ports.frontier.finish(self.crawl.id, page))
        if kept:
            self.fetched += page.error is None
            self.failed += page.error is not None

    def _is_wanted(self, link: Link) -> bool:
        return self.state is State.RUNNING and self._ports.ours(link.url)

    async def _wind_up(self) -> None:
        running = list(self._held)
        if running and self._deadline:
            await asyncio.wait(running, timeout=self._deadline)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        links = list(self._held.values())
        if links:
            await self._persist(lambda: self._ports.frontier.give_back(self.crawl.id, links))

    async def _persist[T](self, call: Callable[[], Awaitable[T]]) -> T | None:
        """What `call` returns, however long the frontier is away; None if the crawl is to end before that."""
        delay = 0.1
        while True:
            try:
                return await call()
            except FrontierUnavailable:
                if self._deadline is not None:
                    return None
            await self._ports.clock.sleep(delay)
            delay = min(2 * delay, 5.0)

    def _seeds(self) -> list[Link]:
        urls = (normalise(seed) for seed in self.crawl.seeds)
        return [Link(url) for url in urls if url]
