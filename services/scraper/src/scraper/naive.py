"""What a competent newcomer writes first: a task for each link, a semaphore, a delay after each request.

It works on a sunny day. In the rain it asks for robots.txt as often as there are tasks, retries at once, and
leaves its tasks to themselves.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from scraper.contract import (
    Busy,
    Conflict,
    Crawl,
    DomainStatus,
    FetchError,
    InvalidCrawl,
    Limits,
    Link,
    Page,
    Ports,
    State,
    Stats,
    Status,
    UnknownCrawl,
)
from scraper.contract import Crawler as Contract
from scraper.core.headers import is_page, robots_tag
from scraper.core.urls import host_of, join, normalise, origin_of

__all__ = ["Crawler"]

REDIRECTS = (301, 302, 303, 307, 308)


class Crawler(Contract):
    """See the contract; it keeps less of it than it thinks."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self.ports, self.limits = ports, limits or Limits()
        self.crawls: dict[str, Status] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.hosts: dict[str, asyncio.Semaphore] = {}
        self.workers = asyncio.Semaphore(self.limits.workers)
        self.robots: dict[str, object] = {}
        self.errors: Counter[str] = Counter()
        self.requests = self.retries = self.running = 0
        self.closed = False

    async def start(self, crawls: Sequence[Crawl]) -> None:
        for crawl in crawls:
            self.begin(crawl)

    async def submit(self, crawl: Crawl) -> None:
        for seed in crawl.seeds or ("",):
            url = normalise(seed)
            if not url or not self.ports.allowed(url):
                raise InvalidCrawl(f"{seed!r} cannot be crawled")
        if crawl.id in self.crawls:
            raise Conflict(f"crawl {crawl.id!r} exists")
        active = [one for one in self.crawls.values() if not one.state.final]
        if self.closed or len(active) >= self.limits.crawls:
            raise Busy("too many crawls")
        self.begin(crawl)

    async def pause(self, crawl_id: str) -> None:
        self.change(crawl_id, State.RUNNING, to=State.PAUSED)

    async def resume(self, crawl_id: str) -> None:
        self.change(crawl_id, State.PAUSED, to=State.RUNNING)

    async def cancel(self, crawl_id: str) -> None:
        self.change(crawl_id, State.RUNNING, State.PAUSED, to=State.CANCELLED)
        self.tasks[crawl_id].cancel()

    def status(self, crawl_id: str) -> Status:
        if crawl_id not in self.crawls:
            raise UnknownCrawl(f"no crawl {crawl_id!r}")
        return self.crawls[crawl_id]

    def domains(self) -> Mapping[str, DomainStatus]:
        return {host: DomainStatus(self.limits.burst, "closed") for host in self.hosts}

    def stats(self) -> Stats:
        states = Counter(status.state for status in self.crawls.values())
        return Stats(
            crawls={state: states[state] for state in State},
            unfinished=sum(status.unfinished for status in self.crawls.values()),
            in_flight=self.running,
            requests=self.requests,
            retries=self.retries,
            errors=dict(self.errors),
        )

    async def stop(self, deadline: float) -> Sequence[Crawl]:
        self.closed = True
        for task in self.tasks.values():
            task.cancel()
        return [status.crawl for status in self.crawls.values() if not status.state.final]

    def begin(self, crawl: Crawl) -> None:
        state = State.PAUSED if crawl.paused else State.RUNNING
        self.crawls[crawl.id] = Status(crawl, state)
        self.tasks[crawl.id] = self.ports.spawn(self.run(crawl), "crawl")

    def change(self, crawl_id: str, *states: State, to: State) -> None:
        status = self.status(crawl_id)
        if status.state not in states:
            raise Conflict(f"crawl {crawl_id!r} is {status.state}")
        self.crawls[crawl_id] = replace(status, state=to)

    async def run(self, crawl: Crawl) -> None:
        frontier = self.ports.frontier
        await frontier.open(crawl, [Link(normalise(seed) or seed) for seed in crawl.seeds])
        while True:
            if self.crawls[crawl.id].state is State.PAUSED:
                await self.ports.clock.sleep(0.5)
                continue
            links, unfinished = await frontier.take(crawl.id, self.limits.window, ())
            self.crawls[crawl.id] = replace(self.crawls[crawl.id], unfinished=unfinished)
            if not unfinished:
                break
            await asyncio.gather(*(self.visit(crawl, link) for link in links))
        self.crawls[crawl.id] = replace(self.crawls[crawl.id], state=State.DONE)
        self.ports.finished(self.crawls[crawl.id])

    async def visit(self, crawl: Crawl, link: Link) -> None:
        host = host_of(origin_of(link.url))
        room = self.hosts.setdefault(host, asyncio.Semaphore(self.limits.per_domain))
        async with self.workers, room:
            page = await self.fetch(crawl, link)
            await self.ports.clock.sleep(1 / self.limits.rate)
        await self.ports.frontier.finish(crawl.id, page)
        status = self.crawls[crawl.id]
        self.crawls[crawl.id] = replace(
            status, fetched=status.fetched + (page.error is None), failed=status.failed + bool(page.error)
        )

    async def fetch(self, crawl: Crawl, link: Link) -> Page:
        for attempt in range(self.limits.retries + 1):
            try:
                if not await self.allowed(link.url):
                    return Page(link, error="robots")
                return await self.get(crawl, link)
            except FetchError as error:
                self.errors[error.reason] += 1
                if attempt == self.limits.retries or not error.retryable:
                    return Page(link, error=error.reason)
                self.retries += 1
        raise AssertionError("unreachable")

    async def allowed(self, url: str) -> bool:
        origin = origin_of(url)
        if origin not in self.robots:
            answer = await self.ports.fetcher.get(f"{origin}/robots.txt")
            self.robots[origin] = self.ports.parse_robots(answer.body if answer.status == 200 else b"")
        return bool(self.robots[origin].allows(url))  # type: ignore[attr-defined]

    async def get(self, crawl: Crawl, link: Link) -> Page:
        url, answer = link.url, None
        for _ in range(self.limits.redirects + 1):
            self.requests += 1
            self.running += 1
            try:
                answer = await self.ports.fetcher.get(url)
            finally:
                self.running -= 1
            target = join(url, answer.headers.get("location", ""))
            if answer.status not in REDIRECTS or not target or not self.ports.allowed(target):
                break
            url = target
        assert answer
        if answer.status >= 500 or answer.status == 429:
            raise FetchError(f"status {answer.status}")
        return self.page(crawl, link, url, answer.status, answer.headers, answer.body)

    def page(
        self, crawl: Crawl, link: Link, url: str, status: int, headers: Mapping[str, str], body: bytes
    ) -> Page:
        if not is_page(headers):
            return Page(link, status, size=len(body), files=(link.url,) if status == 200 else ())
        found = self.ports.parse_page(body, headers.get("content-type", ""))
        nofollow, noindex = robots_tag(headers, "concurrency-lab")
        base = join(url, found.base) or url if found.base else url
        targets = dict.fromkeys(join(base, href) for href in found.hrefs)
        follow = [Link(one, link.depth + 1) for one in targets if one and self.ports.allowed(one)]
        if nofollow or found.nofollow or link.depth >= crawl.depth:
            follow = []
        return Page(
            link, status, None, found.title, len(body), 0.0, not (noindex or found.noindex), tuple(follow)
        )
