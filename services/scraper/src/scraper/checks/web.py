"""A web in memory: pages, troubles, and a note of who asked for what when."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass

from scraper.contract import Answer, FetchError
from scraper.core.urls import host_of, origin_of

__all__ = ["Asked", "Web"]

HTML = {"content-type": "text/html; charset=utf-8"}


@dataclass(slots=True)
class Asked:
    """One request, in virtual seconds; `until` is None while it goes on."""

    url: str
    at: float
    until: float | None = None


class Web:
    """See `contract.Fetcher`. Each answer takes `latency` seconds, or what `slow` says for its URL.

    What `scripts` has for a URL is answered first, in order; a host in `down` answers 503. `most` is how many
    requests there were at once, in all (under "") and of each host.
    """

    def __init__(self, latency: float = 0.1) -> None:
        self.latency = latency
        self.answers: dict[str, Answer] = {}
        self.scripts: dict[str, deque[Answer | FetchError]] = defaultdict(deque)
        self.slow: dict[str, float] = {}
        self.down: set[str] = set()
        self.asked: list[Asked] = []
        self.open: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def page(
        self, url: str, *hrefs: str, status: int = 200, headers: Mapping[str, str] = HTML, head: str = ""
    ) -> str:
        """Put a page there, with links; returns its URL."""
        links = "".join(f'<a href="{href}">x</a>' for href in hrefs)
        html = f"<html><head><title>{url}</title>{head}</head><body>{links}</body></html>"
        self.answers[url] = Answer(status, {**HTML, **headers}, html.encode())
        return url

    def site(self, host: str, pages: int) -> str:
        """`pages` pages, all linked from the first; returns its URL."""
        url = f"http://{host}/"
        for number in range(1, pages):
            self.page(f"{url}{number}", "/")
        return self.page(url, *(f"/{number}" for number in range(1, pages)))

    def robots(self, host: str, text: str) -> None:
        self.answers[f"http://{host}/robots.txt"] = Answer(200, {"content-type": "text/plain"}, text.encode())

    def redirect(self, url: str, to: str, status: int = 302) -> str:
        self.answers[url] = Answer(status, {"location": to})
        return url

    async def get(self, url: str) -> Answer:
        loop, host = asyncio.get_running_loop(), host_of(origin_of(url))
        asked = Asked(url, loop.time())
        self.asked.append(asked)
        for name in ("", host):
            self.open[name] += 1
            self.most[name] = max(self.most[name], self.open[name])
        try:
            script = self.scripts[url].popleft() if self.scripts[url] else None
            down = host in self.down
            await asyncio.sleep(self.slow.get(url, self.latency))
        finally:
            asked.until = loop.time()
            for name in ("", host):
                self.open[name] -= 1
        if isinstance(script, FetchError):
            raise script
        if script or down:
            return script or Answer(503, {})
        return self.answers.get(url, Answer(404, {}))

    def requests(self, host: str, *, robots: bool = False) -> list[Asked]:
        """Those to `host`, in order; those for robots.txt only if asked for."""
        return [
            one
            for one in self.asked
            if host_of(origin_of(one.url)) == host and (robots or not one.url.endswith("/robots.txt"))
        ]

    def times(self, url: str) -> int:
        return sum(one.url == url for one in self.asked)
