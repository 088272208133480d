"""What an engine of A1 is given, what it promises, and what may go wrong."""

import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, NamedTuple, Protocol

from lab_kit.coroutines import AsyncPorts


class State(StrEnum):
    """Where a crawl is. The last two are final."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.DONE, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Crawl:
    """Begin at `seeds`, follow links `depth` deep; `pages`, `domain_pages` and `domains` bound what is fetched.
    A URL that contains one of `prefer` comes before others as if it were two links nearer to a seed."""

    seeds: tuple[str, ...]
    depth: int = 10
    pages: int = 10_000
    domain_pages: int = 10_000
    domains: int = 1_000
    prefer: tuple[str, ...] = ()
    crawl_delay: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    paused: bool = False


class Link(NamedTuple):
    """A normalised URL to fetch, `depth` links and `hops` redirects away from a seed."""

    url: str
    depth: int = 0
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """What became of one link: an answer (`status`, even of a redirect), or an `error`, which is a bounded label.
    `follow` are links for the crawl to take, `files` URLs of what is no page. Bytes; seconds until the answer."""

    link: Link
    status: int = 0
    error: str | None = None
    title: str = ""
    size: int = 0
    seconds: float = 0.0
    index: bool = True
    follow: tuple[Link, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a crawl on this engine. `unfinished` is what is to be fetched, here or elsewhere."""

    crawl: Crawl
    state: State
    fetched: int = 0
    failed: int = 0
    unfinished: int = 0
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """One moment of a host. `tokens` may be spent now; `latency` is a moving mean in seconds; errors by kind."""

    tokens: float
    breaker: str
    in_flight: int = 0
    requests: int = 0
    latency: float = 0.0
    errors: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of an engine. `requests`, `errors`, `retries` and `probes` never decrease."""

    crawls: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    unfinished: int = 0
    in_flight: int = 0
    requests: int = 0
    retries: int = 0
    probes: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    breakers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds an engine keeps, in requests, requests per second, and seconds.
    `ahead` is how many links of one domain are taken before they can be fetched, `window` how many in all.
    A breaker opens when `breaker_rate` of at least `breaker_calls` in `breaker_window` failed."""

    workers: int = 64
    per_domain: int = 4
    rate: float = 10.0
    burst: int = 10
    window: int = 512
    ahead: int = 32
    crawls: int = 100
    retries: int = 3
    retry_base: float = 0.5
    retry_cap: float = 30.0
    retry_budget: float = 0.2
    breaker_rate: float = 0.5
    breaker_calls: int = 10
    breaker_window: float = 30.0
    breaker_seconds: float = 15.0
    breaker_trips: int = 5
    redirects: int = 5
    domains: int = 10_000


class CrawlError(Exception):
    """Anything this engine reports; the text is for people."""


class InvalidCrawl(CrawlError):
    """The crawl can never begin; nothing was accepted."""


class UnknownCrawl(CrawlError):
    """No such crawl."""


class Conflict(CrawlError):
    """The crawl is in a state in which that cannot be done; nothing changed."""


class Busy(CrawlError):
    """The engine accepts no more just now: it is full, or it is stopping."""


class FrontierUnavailable(CrawlError):
    """What remembers the URLs does not answer: try again."""


class FetchError(CrawlError):
    """A request ended without an answer. `reason` is a bounded label; only a `retryable` one is tried again."""

    reason, retryable, retry_after = "fetch", True, 0.0


class ConnectionLost(FetchError):
    """Refused, reset, half closed, or closed before the promised length."""

    reason = "connection"


class NameUnknown(ConnectionLost):
    """The host's name has no address."""

    reason = "dns"


class TimedOut(FetchError):
    """No connection, no first byte, or no end, in time."""

    reason = "timeout"


class TooLarge(FetchError):
    """The body is larger than allowed, as sent or once decompressed."""

    reason, retryable = "size", False


class Refused(FetchError):
    """We will not fetch this: a host that is not allowed, a private address, a scheme, an encoding."""

    reason, retryable = "refused", False


class Answer(NamedTuple):
    """One answer: no redirect was followed. Header names are lower case; a body that is no text is left out."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Fetcher(Protocol):
    """HTTP. Any status is an answer, or it raises `FetchError`; cancelled, it leaves no connection half used."""

    async def get(self, url: str) -> Answer: ...


class Rules(Protocol):
    """A parsed robots.txt. Asking often is cheap. `delay` is in seconds between two requests."""

    @property
    def delay(self) -> float | None: ...
    def allows(self, url: str) -> bool: ...


class Found(NamedTuple):
    """What a page holds: its title, its links as they are written, and what its author asks of robots."""

    title: str = ""
    base: str | None = None
    hrefs: Sequence[str] = ()
    nofollow: bool = False
    noindex: bool = False


class Taken(NamedTuple):
    """Links that are this engine's now, and how many of the crawl are unfinished, these included."""

    links: Sequence[Link]
    unfinished: int


class Frontier(Protocol):
    """Which URLs are to be fetched, and which were; for all engines of a crawl. Nobody else gets a link that was
    taken, until it is given back or its engine has died. Every method raises `FrontierUnavailable`."""

    async def open(self, crawl: Crawl, links: Sequence[Link]) -> None:
        """Begin a crawl with `links`, or join it."""

    async def take(self, crawl: str, most: int, skip: Collection[str]) -> Taken:
        """At most `most` links, near a seed first, each host in turn; none of the hosts in `skip`."""

    async def finish(self, crawl: str, page: Page) -> bool:
        """In one step: keep `page`, add what it follows, forget its link. False if that is not ours any more."""

    async def give_back(self, crawl: str, links: Sequence[Link]) -> None:
        """Others may take them."""

    async def close(self, crawl: str) -> None:
        """Forget what is left to fetch."""


@dataclass(frozen=True, kw_only=True)
class Ports(AsyncPorts):
    """What A1 engines get: the web, the frontier, parsers, whom to tell of the end. `ours(url)`: whether its host
    may be asked by this engine, now. `parse_page(body, content_type)` and `parse_robots(body)` block, for about
    10 ms a MiB; what is begun by `await offload(function, *arguments)` runs elsewhere."""

    fetcher: Fetcher
    frontier: Frontier
    parse_page: Callable[[bytes, str], Found]
    parse_robots: Callable[[bytes], Rules]
    offload: Callable[..., Awaitable[Any]]
    allowed: Callable[[str], bool] = lambda url: True
    ours: Callable[[str], bool] = lambda url: True
    random: Random = field(default_factory=Random)
    finished: Callable[[Status], None] = lambda status: None


class Crawler(Protocol):
    """The engine. Every method is called on the loop; none blocks it.

    Guarantees, whatever the order of events: of each host, at most `limits.burst + limits.rate * s` requests in
    any `s` seconds, and `limits.per_domain` at once; at most `limits.workers` in all; nothing that robots.txt
    disallows; no link finished twice. A method that is cancelled has changed nothing, or all.
    """

    def __init__(self, ports: Ports, limits: Limits) -> None: ...

    async def start(self, crawls: Sequence[Crawl]) -> None:
        """Begin, with what an earlier engine or life left unfinished."""

    async def submit(self, crawl: Crawl) -> None:
        """Accept `crawl`. Raises `InvalidCrawl`, `Conflict`, `Busy`, and then accepts nothing."""

    async def pause(self, crawl_id: str) -> None:
        """Take no more links; what was begun ends. Raises `UnknownCrawl`, `Conflict`."""

    async def resume(self, crawl_id: str) -> None:
        """Go on. Raises `UnknownCrawl`, `Conflict`."""

    async def cancel(self, crawl_id: str) -> None:
        """End a crawl: when this returns, no task or request of it is left. Raises `UnknownCrawl`, `Conflict`."""

    def status(self, crawl_id: str) -> Status:
        """One crawl now. Raises `UnknownCrawl`."""

    def domains(self) -> Mapping[str, DomainStatus]:
        """Every host this engine has met lately."""

    def stats(self) -> Stats: ...

    async def stop(self, deadline: float) -> Sequence[Crawl]:
        """Let what runs go on for `deadline` seconds, give the rest back, return what is unfinished."""
