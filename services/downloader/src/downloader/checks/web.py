"""A scripted web for the checks: it answers as told, notes what it was asked, counts what went wrong."""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import urlsplit

from downloader.contract import ConnectionLost
from lab_kit.ports import Clock

PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when, for what, from which byte on."""

    at: float
    url: str
    headers: Mapping[str, str]

    @property
    def start(self) -> int:
        span = self.headers.get("range", "bytes=0-").removeprefix("bytes=")
        return int(span.partition("-")[0])


@dataclass(slots=True)
class Page:
    """A file on the web. `ranges`: whether parts of it can be asked for."""

    body: bytes
    etag: str = '"1"'
    ranges: bool = True


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to one request instead of the answer: a status, a hang, or a drop after some bytes.

    `short`: the drop looks like the end of the body. `then` is called when it happens.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    drop_after: int | None = None
    short: bool = False
    hang: bool = False
    then: Callable[[], None] | None = None


class Web:
    """The transport port. `pages` by URL; `troubles` by URL are used up one per request, in order."""

    def __init__(self, clock: Clock, latency: float = 0.0) -> None:
        self.clock, self.latency = clock, latency
        self.pages: dict[str, Page] = {}
        self.troubles: dict[str, deque[Trouble]] = defaultdict(deque)
        self.asked: list[Asked] = []
        self.sent: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self.most_open: Counter[str] = Counter()
        self.on_read: Callable[[str], None] = lambda url: None

    def put(self, url: str, body: bytes, *, ranges: bool = True) -> str:
        """Put a file on the web, or another one in its place; returns `url`."""
        known = self.pages.get(url)
        etag = f'"{int(known.etag.strip(chr(34))) + 1}"' if known else '"1"'
        self.pages[url] = Page(body, etag, ranges)
        return url

    def trouble(self, url: str, *troubles: Trouble) -> None:
        """Let the next requests for `url` go wrong."""
        self.troubles[url].extend(troubles)

    def asks(self, url: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.url == url]

    def waits(self, url: str) -> list[float]:
        """Seconds between the requests for `url`."""
        moments = [asked.at for asked in self.asks(url)]
        return [later - earlier for earlier, later in pairwise(moments)]

    def get(self, url: str, headers: Mapping[str, str]) -> "Answer":
        self.asked.append(Asked(self.clock.monotonic(), url, dict(headers)))
        self._count(url, 1)
        answer = self._answer(url, {name.lower(): value for name, value in headers.items()})
        self.clock.sleep(self.latency)
        return answer

    def _answer(self, url: str, headers: Mapping[str, str]) -> "Answer":
        trouble = self.troubles[url].popleft() if self.troubles[url] else Trouble()
        if trouble.status:
            self.fired[str(trouble.status)] += 1
            return Answer(self, url, trouble.status, {"content-length": "0", **trouble.headers}, b"", trouble)
        page = self.pages.get(url)
        if page is None:
            return Answer(self, url, 404, {"content-length": "0"}, b"", trouble)
        return Answer(self, url, *_content(page, headers), trouble)

    def _count(self, url: str, change: int) -> None:
        for key in (urlsplit(url).netloc, "all"):
            self.open[key] += change
            self.most_open[key] = max(self.most_open[key], self.open[key])


def _content(page: Page, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    size, asked = len(page.body), headers.get("range")
    common = {"etag": page.etag, "accept-ranges": "bytes" if page.ranges else "none"}
    if not asked or not page.ranges or headers.get("if-range", page.etag) != page.etag:
        return 200, {**common, "content-length": str(size)}, page.body
    first, _, last = asked.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last) + 1 if last else size, size)
    if start >= size:
        return 416, {"content-range": f"bytes */{size}", "content-length": "0"}, b""
    span = {"content-range": f"bytes {start}-{end - 1}/{size}", "content-length": str(end - start)}
    return 206, {**common, **span}, page.body[start:end]


class Answer:
    """The response port; `fired` of the web counts the trouble when it happens."""

    def __init__(
        self, web: Web, url: str, status: int, headers: Mapping[str, str], body: bytes, trouble: Trouble
    ) -> None:
        self.status, self.headers = status, headers
        self._web, self._url, self._body, self._trouble = web, url, memoryview(body), trouble
        self._position, self._aborted, self._closed = 0, threading.Event(), False

    def readinto(self, buffer: memoryview) -> int:
        self._web.on_read(self._url)
        self._wait()
        if self._aborted.is_set() or self._closed:
            raise ConnectionLost("the connection was closed here")
        end = min(self._position + min(len(buffer), PIECE), self._last())
        if end == self._position < len(self._body):
            return self._drop()
        count = end - self._position
        buffer[:count] = self._body[self._position : end]
        self._position = end
        self._web.sent[self._url] += count
        return count

    def abort(self) -> None:
        self._aborted.set()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._web._count(self._url, -1)

    def _wait(self) -> None:
        if self._trouble.hang:
            self._web.fired["hang"] += 1
            self._aborted.wait()
        self._web.clock.sleep(self._web.latency)

    def _last(self) -> int:
        limit = self._trouble.drop_after
        return len(self._body) if limit is None else min(limit, len(self._body))

    def _drop(self) -> int:
        self._web.fired["drop"] += 1
        if self._trouble.then:
            self._trouble.then()
        if self._trouble.short:
            return 0
        raise ConnectionLost("the connection was reset by the peer")
