"""All crawls of one engine."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from scraper.contract import (
    Busy,
    Conflict,
    Crawl,
    DomainStatus,
    InvalidCrawl,
    Limits,
    Ports,
    State,
    Stats,
    Status,
    UnknownCrawl,
)
from scraper.contract import Crawler as Contract
from scraper.core.urls import normalise
from scraper.engine.hosts import Hosts
from scraper.engine.run import Run
from scraper.engine.visit import Visits

__all__ = ["Crawler"]

REMEMBERED = 100
"""Ended crawls whose numbers are kept."""


class Crawler(Contract):
    """See the contract. Crawls share hosts, workers and robots.txt, and have nothing else in common."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._hosts = Hosts(ports, self._limits)
        self._visits = Visits(ports, self._limits, self._hosts)
        self._runs: dict[str, Run] = {}
        self._closed = False

    async def start(self, crawls: Sequence[Crawl]) -> None:
        for crawl in crawls:
            self._begin(crawl)

    async def submit(self, crawl: Crawl) -> None:
        self._check(crawl)
        if crawl.id in self._runs:
            raise Conflict(f"crawl {crawl.id!r} was accepted before")
        if self._closed or len(self._active()) >= self._limits.crawls:
            raise Busy("no room for another crawl: try again later")
        self._begin(crawl)

    async def pause(self, crawl_id: str) -> None:
        self._in(crawl_id, State.RUNNING).pause()

    async def resume(self, crawl_id: str) -> None:
        self._in(crawl_id, State.PAUSED).resume()

    async def cancel(self, crawl_id: str) -> None:
        await self._in(crawl_id, State.RUNNING, State.PAUSED).end(0.0, State.CANCELLED)

    def status(self, crawl_id: str) -> Status:
        return self._find(crawl_id).status()

    def domains(self) -> Mapping[str, DomainStatus]:
        return {name: host.status() for name, host in self._hosts.met.items()}

    def stats(self) -> Stats:
        runs, hosts = self._runs.values(), self._hosts.met.values()
        now = self._ports.clock.monotonic()
        return Stats(
            crawls={state: sum(run.state is state for run in runs) for state in State},
            unfinished=sum(run.unfinished for run in runs),
            in_flight=sum(host.in_flight for host in hosts),
            requests=self._hosts.forgotten.requests + sum(host.requests for host in hosts),
            retries=self._visits.retries,
            probes=self._hosts.forgotten.probes + sum(host.probes for host in hosts),
            errors=dict(self._visits.errors),
            breakers=Counter(host.breaker.state(now) for host in hosts),
        )

    async def stop(self, deadline: float) -> Sequence[Crawl]:
        self._closed = True
        active = self._active()
        await asyncio.gather(*(run.end(deadline) for run in active))
        return [run.status().crawl for run in active if not run.state.final]

    def _begin(self, crawl: Crawl) -> None:
        ended = [name for name, run in self._runs.items() if run.state.final]
        for name in ended[: -REMEMBERED or None]:
            del self._runs[name]
        self._runs[crawl.id] = Run(self._ports, crawl, self._hosts, self._visits, self._room)

    def _room(self) -> int:
        """Links that one crawl may have in hand."""
        return max(8, self._limits.window // max(1, len(self._active())))

    def _active(self) -> list[Run]:
        return [run for run in self._runs.values() if not run.state.final]

    def _check(self, crawl: Crawl) -> None:
        if not crawl.seeds:
            raise InvalidCrawl("a crawl needs at least one seed")
        for seed in crawl.seeds:
            url = normalise(seed)
            if url is None or not self._ports.allowed(url):
                raise InvalidCrawl(f"{seed!r} is no http or https URL of a host that may be crawled")

    def _find(self, crawl_id: str) -> Run:
        if crawl_id not in self._runs:
            raise UnknownCrawl(f"no crawl {crawl_id!r}")
        return self._runs[crawl_id]

    def _in(self, crawl_id: str, *states: State) -> Run:
        run = self._find(crawl_id)
        if run.state not in states:
            raise Conflict(f"crawl {crawl_id!r} is {run.state}: that cannot be done now")
        return run
