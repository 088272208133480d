"""One link: asked for politely, again if that may help, and read without holding up anybody."""

from collections import Counter
from collections.abc import Callable

from scraper.contract import Answer, Crawl, FetchError, Found, Limits, Link, Page, Ports
from scraper.core.headers import is_page, robots_tag
from scraper.core.retry import backoff
from scraper.core.traps import Traps
from scraper.core.urls import join, origin_of
from scraper.engine.host import BAD, Host, Withdrawn
from scraper.engine.hosts import Hosts
from scraper.engine.robots import REDIRECTS, Known, Robots
from scraper.engine.targets import Targets

__all__ = ["Visits"]

AGENT = "concurrency-lab"
SMALL = 32 * 1024
"""Bytes of a page that is parsed at once: to hand it to a thread would take longer."""


type Wanted = Callable[[], bool]


class _Disallowed(FetchError):
    reason, retryable = "robots", False


class _BadStatus(FetchError):
    """An answer that may be another one next time."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status}")
        self.status, self.reason = status, "429" if status == 429 else "5xx"


class Visits:
    """What all crawls of an engine share: hosts, robots.txt, traps. It keeps no page."""

    def __init__(self, ports: Ports, limits: Limits, hosts: Hosts) -> None:
        self._ports, self._limits, self._hosts = ports, limits, hosts
        self._robots = Robots(ports, self._get, limits.domains)
        self._traps = Traps()
        self._targets = Targets(self._wanted)
        self.errors: Counter[str] = Counter()
        self.retries = 0

    async def visit(self, crawl: Crawl, link: Link, wanted: Wanted) -> Page:
        """What became of `link`. Raises `Withdrawn` if it is no longer `wanted` before that is known."""
        began = self._ports.clock.monotonic()
        try:
            answer = await self._patiently(crawl, link.url, wanted)
        except FetchError as error:
            self.errors[error.reason] += 1
            status = getattr(error, "status", 0)
            return Page(link, status, error.reason, seconds=self._ports.clock.monotonic() - began)
        return await self._page(crawl, link, answer, self._ports.clock.monotonic() - began)

    async def _get(self, url: str, asked: str) -> Answer:
        """For robots.txt: what was `asked` for, or where it led to."""
        return await self._hosts.of(url).get(url, lambda: self._ports.ours(asked))

    async def _patiently(self, crawl: Crawl, url: str, wanted: Wanted) -> Answer:
        """The answer, after as many attempts as limits and budget allow. Raises the last `FetchError`."""
        host, failures = self._hosts.of(url), 0
        host.budget.requested()
        while True:
            try:
                return await self._once(crawl, host, url, wanted)
            except FetchError as error:
                failures += 1
                if not error.retryable or failures > self._limits.retries or not host.budget.take():
                    raise
                delay = backoff(failures, self._limits.retry_base, self._limits.retry_cap, self._ports.random)
                delay = max(delay, error.retry_after)
            self.retries += 1
            await self._ports.clock.sleep(delay)  # holding neither a worker nor a place at the host

    async def _once(self, crawl: Crawl, host: Host, url: str, wanted: Wanted) -> Answer:
        known, now = await self._known(crawl, host, url), self._ports.clock.monotonic
        try:
            answer = await host.get(url, lambda: wanted() and now() < known.until and known.allows(url))
        except Withdrawn:
            if not wanted():
                raise
            # While the link waited, the time of robots.txt ended. What it says now is for this request, however
            # long that waits: else a short time and a slow host would never come together.
            known = await self._known(crawl, host, url)
            answer = await host.get(url, lambda: wanted() and known.allows(url))
        if answer.status in BAD:
            raise _BadStatus(answer.status)
        return answer

    async def _known(self, crawl: Crawl, host: Host, url: str) -> Known:
        """What is known of robots.txt, which allows `url`. Raises `FetchError` if it does not."""
        known = await self._robots.of(origin_of(url))
        if not known.allows(url):
            raise _Disallowed(f"robots.txt disallows {url}")
        if crawl.crawl_delay and known.rules:
            host.slow_to(known.rules.delay or 0.0)
        return known

    async def _page(self, crawl: Crawl, link: Link, answer: Answer, seconds: float) -> Page:
        status, headers = answer.status, answer.headers
        if status in REDIRECTS:
            # A redirect is a link like any other: its target meets robots, limits and duplicates by itself.
            target = join(link.url, headers.get("location", ""))
            hops = [Link(target, link.depth, link.hops + 1)] if target else []
            follow = tuple(
                hop for hop in hops if hop.hops <= self._limits.redirects and self._wanted(hop.url)
            )
            return Page(link, status, seconds=seconds, follow=follow)
        if not 200 <= status < 300:
            return Page(link, status, seconds=seconds)
        if not is_page(headers):
            return Page(link, status, size=len(answer.body), seconds=seconds, files=(link.url,))
        found = await self._parsed(answer)
        nofollow, noindex = robots_tag(headers, AGENT)
        deeper = link.depth < crawl.depth and not (nofollow or found.nofollow)
        depth = link.depth + 1
        follow = tuple([Link(url, depth, 0) for url in self._links(link.url, found)]) if deeper else ()
        index, size = not (noindex or found.noindex), len(answer.body)
        return Page(link, status, None, found.title, size, seconds, index, follow)

    async def _parsed(self, answer: Answer) -> Found:
        content_type = answer.headers.get("content-type", "")
        if len(answer.body) <= SMALL:
            return self._ports.parse_page(answer.body, content_type)
        found: Found = await self._ports.offload(self._ports.parse_page, answer.body, content_type)
        return found

    def _links(self, url: str, found: Found) -> list[str]:
        base = join(url, found.base) or url if found.base else url
        return self._targets.of(base, found.hrefs)

    def _wanted(self, url: str) -> bool:
        return self._ports.allowed(url) and not self._traps.holds(url)
