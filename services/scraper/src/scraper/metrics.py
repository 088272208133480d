"""The scraper's own metrics. What crosses the network is counted at the port, for any engine alike."""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab_kit.coroutines import on_loop
from lab_kit.metrics import Metrics
from scraper.contract import Answer, DomainStatus, Fetcher, FetchError, State, Stats
from scraper.core.urls import host_of, origin_of

__all__ = ["CrawlMetrics", "EngineStats", "FetchMetrics"]

SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
FETCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ERRORS = (
    "429",
    "5xx",
    "bug",
    "connection",
    "dns",
    "down",
    "refused",
    "robots",
    "robots-unavailable",
    "size",
    "timeout",
)
FAMILIES, OTHER = ("2xx", "3xx", "4xx"), "other"
"""Of the status of an answer, which may be any number of three digits."""
SHOWN = 20
"""Hosts that have a series of their own: the busiest; the others are added up as `other`."""
BREAKERS = {"closed": 0, "half-open": 1, "open": 2}


class CrawlMetrics:
    """How long users wait for a whole crawl, and how many links do, whatever engine runs."""

    def __init__(self, metrics: Metrics, engine: Callable[[], str], stats: Callable[[], Stats]) -> None:
        self._service, self._engine, self._stats = metrics.service, engine, stats
        self._depth = metrics.queue_depth
        self._seconds = metrics.histogram(
            "scraper_crawl_seconds", "From acceptance to the end", SECONDS, "outcome"
        )

    def begin(self, engine: str, loop: asyncio.AbstractEventLoop) -> None:
        """The series of `engine`, which lives on `loop`, start at zero."""
        for state in State:
            if state.final:
                self._seconds.labels(self._service, engine, state)
        depth = self._depth.labels(self._service, engine, "frontier")
        depth.set_function(lambda: on_loop(loop, lambda: self._waiting(engine)))

    def _waiting(self, engine: str) -> int:
        return self._stats().unfinished if engine == self._engine() else 0

    def ended(self, state: State, seconds: float) -> None:
        self._seconds.labels(self._service, self._engine(), state).observe(seconds)


class FetchMetrics:
    """The counters of the fetcher port."""

    def __init__(self, metrics: Metrics) -> None:
        self._service = metrics.service
        self._requests = metrics.counter("scraper_requests", "Requests sent, by outcome", "outcome")
        self._bytes = metrics.counter("scraper_received_bytes", "Bytes of decoded bodies")
        self._seconds = metrics.histogram("scraper_fetch_seconds", "One request", FETCH_SECONDS)
        self._hosts = metrics.counter("scraper_host_requests", "Requests sent, by host", "host")

    def wrap(self, inner: Fetcher, engine: str, clock: Callable[[], float]) -> Fetcher:
        """`inner`, counted for `engine`; its label sets start at zero."""
        here = (self._service, engine)
        outcomes = {name: self._requests.labels(*here, name) for name in (*FAMILIES, *ERRORS, OTHER)}
        hosts = {"other": self._hosts.labels(*here, "other")}

        def of_host(host: str) -> Counter:
            if host not in hosts and len(hosts) <= SHOWN:
                hosts[host] = self._hosts.labels(*here, host)
            return hosts.get(host, hosts["other"])

        return _Measured(
            inner, outcomes, of_host, self._bytes.labels(*here), self._seconds.labels(*here), clock
        )


class _Measured:
    def __init__(
        self,
        inner: Fetcher,
        outcomes: Mapping[str, Counter],
        of_host: Callable[[str], Counter],
        received: Counter,
        seconds: Histogram,
        clock: Callable[[], float],
    ) -> None:
        self._inner, self._outcomes, self._of_host = inner, outcomes, of_host
        self._received, self._seconds, self._clock = received, seconds, clock

    async def get(self, url: str) -> Answer:
        began = self._clock()
        self._of_host(host_of(origin_of(url))).inc()
        try:
            answer = await self._inner.get(url)
        except FetchError as error:
            self._outcomes[error.reason].inc()
            raise
        self._outcomes[_outcome(answer.status)].inc()
        self._received.inc(len(answer.body))
        self._seconds.observe(self._clock() - began)
        return answer


def _outcome(status: int) -> str:
    name = "429" if status == 429 else f"{status // 100}xx"
    return name if name in FAMILIES or name in ERRORS else OTHER


class EngineStats(Collector):
    """What the engine says of itself, read at each scrape."""

    def __init__(
        self,
        service: str,
        engine: Callable[[], str],
        stats: Callable[[], Stats],
        domains: Callable[[], Mapping[str, DomainStatus]],
        rate: float,
    ) -> None:
        self._service, self._engine, self._stats, self._domains = service, engine, stats, domains
        self._rate = rate
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The engine lives on `loop`: only there may it be looked at."""
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        assert self._loop, "no engine was built yet"
        stats, hosts = on_loop(self._loop, lambda: (self._stats(), self._domains()))
        here, names = (self._service, self._engine()), ("service", "engine")
        crawls = GaugeMetricFamily("scraper_crawls", "Crawls by state", labels=(*names, "state"))
        for state in State:
            crawls.add_metric((*here, state), stats.crawls.get(state, 0))
        errors = CounterMetricFamily("scraper_errors", "Links given up, by reason", labels=(*names, "reason"))
        for reason in ERRORS:
            errors.add_metric((*here, reason), stats.errors.get(reason, 0))
        breakers = GaugeMetricFamily(
            "scraper_breakers", "Hosts by their breaker's state", labels=(*names, "state")
        )
        for name in BREAKERS:
            breakers.add_metric((*here, name), stats.breakers.get(name, 0))
        yield from (crawls, errors, breakers)
        for name, text, value in (
            ("scraper_retries", "Requests repeated", stats.retries),
            ("scraper_probes", "Requests that probed a host", stats.probes),
        ):
            counter = CounterMetricFamily(name, text, labels=names)
            counter.add_metric(here, value)
            yield counter
        limit = GaugeMetricFamily("scraper_rate_limit", "Requests a second to a host", labels=names)
        limit.add_metric(here, self._rate)
        yield limit
        frontier = GaugeMetricFamily("scraper_frontier_urls", "Links to be fetched", labels=names)
        frontier.add_metric(here, stats.unfinished)
        yield frontier
        yield from self._of_hosts(here, hosts)

    def _of_hosts(self, here: tuple[str, str], found: Mapping[str, DomainStatus]) -> Iterator[Metric]:
        """The busiest hosts, so that labels stay bounded."""
        busiest = Tally({name: one.requests for name, one in found.items()}).most_common(SHOWN)
        names = ("service", "engine", "host")
        tokens = GaugeMetricFamily("scraper_host_tokens", "Requests a host may be sent now", labels=names)
        breaker = GaugeMetricFamily("scraper_host_breaker", "0 closed, 1 half-open, 2 open", labels=names)
        flight = GaugeMetricFamily("scraper_host_in_flight", "Requests going on", labels=names)
        latency = GaugeMetricFamily("scraper_host_latency_seconds", "Moving mean of a request", labels=names)
        errors = CounterMetricFamily("scraper_host_errors", "What went wrong", labels=(*names, "reason"))
        for name, _ in busiest:
            latency.add_metric((*here, name), found[name].latency)
            for reason in ERRORS:
                errors.add_metric((*here, name, reason), found[name].errors.get(reason, 0))
            tokens.add_metric((*here, name), found[name].tokens)
            breaker.add_metric((*here, name), BREAKERS[found[name].breaker])
            flight.add_metric((*here, name), found[name].in_flight)
        yield from (tokens, breaker, flight, latency, errors)
