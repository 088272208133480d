"""One host: whose turn it is, how fast, how many at once, and whether it is worth asking at all."""

import asyncio
from collections import Counter
from collections.abc import Callable

from scraper.contract import Answer, DomainStatus, FetchError, Limits, Ports
from scraper.core.breaker import Breaker, BreakerState, Permit
from scraper.core.bucket import Bucket
from scraper.core.headers import retry_after
from scraper.core.retry import RetryBudget

__all__ = ["Host", "HostDown", "Withdrawn"]

SHARE = 0.2  # of the newest answer in the mean latency
SOME_REST, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds: after a 429 that names no time, and whatever time an answer names."""
BAD = frozenset({429, *range(500, 600)})


class Withdrawn(Exception):
    """Nobody wants the answer any more, and nothing was sent."""


class HostDown(FetchError):
    """The host failed again and again, and so did each probe: its links are given up until the next one is due."""

    reason, retryable = "down", False


class Host:
    """All requests to one host, of all crawls. `workers` bounds those to all hosts.

    The order of what is waited for matters. A token is taken only when a worker is free: who waits for a worker
    with tokens in hand sends them all at once. And only when the turn is one's own: so what was seen to be
    possible before a wait for a worker is not taken by a neighbour meanwhile.
    """

    def __init__(self, ports: Ports, limits: Limits, workers: asyncio.Semaphore) -> None:
        self._ports, self._limits, self._workers = ports, limits, workers
        self._room = ports.semaphore("host", limits.per_domain)
        self._turn = ports.semaphore("turn", 1)
        self._news = asyncio.Event()
        self._not_before = 0.0
        self.bucket = Bucket(limits.rate, limits.burst, ports.clock.monotonic())
        self.breaker = Breaker(
            limits.breaker_rate, limits.breaker_calls, limits.breaker_window, limits.breaker_seconds
        )
        self.budget = RetryBudget(limits.retry_budget)
        self.errors: Counter[str] = Counter()
        self.users = self.in_flight = self.requests = self.probes = 0
        self.latency = 0.0

    async def get(self, url: str, wanted: Callable[[], bool]) -> Answer:
        """One polite request, if it is still `wanted` when its turn comes; else raises `Withdrawn`."""
        async with self._room:
            permit = await self._admission(wanted)
            self.in_flight += 1
            began = self._ports.clock.monotonic()
            try:
                answer = await self._ports.fetcher.get(url)
            except FetchError as error:
                # What is not worth another attempt is no fault of the host: we did not want what it has.
                self._failed(permit, error.reason, well=not error.retryable)
                raise
            except BaseException:
                self.breaker.lost(permit)  # cancelled: nobody knows whether the host is well
                raise
            finally:
                self.in_flight -= 1
                self._workers.release()
                self._news.set()
            self._answered(permit, answer, began)
            return answer

    def slow_to(self, delay: float) -> None:
        """At most one request in `delay` seconds (Crawl-delay)."""
        if delay > 0 and 1 / delay < self.bucket.rate:
            self.bucket = Bucket(1 / delay, 1, self._ports.clock.monotonic(), 0.0)

    def idle(self) -> bool:
        """Whether it may be forgotten: nobody is at it, and it may be asked now. Of one that was down it is lost
        that a single probe would do; but the dead are asked by nobody, and would stay for ever."""
        now = self._ports.clock.monotonic()
        rested = self.bucket.level(now) >= self.bucket.burst and now >= self._not_before
        busy = self.users or self.in_flight
        return not busy and rested and self.breaker.state(now) is not BreakerState.OPEN

    def status(self) -> DomainStatus:
        now = self._ports.clock.monotonic()
        level = self.bucket.level(now) if now >= self._not_before else 0.0
        state = self.breaker.state(now)
        return DomainStatus(level, state, self.in_flight, self.requests, self.latency, dict(self.errors))

    async def _admission(self, wanted: Callable[[], bool]) -> Permit:
        """A permit, with a token taken for it and a worker acquired."""
        async with self._turn:
            while True:
                await self._ready(wanted)
                await self._workers.acquire()
                # No await from here on: a worker that was acquired is handed over or released.
                now = self._ports.clock.monotonic()
                if wanted() and not self._wait(now):
                    self.bucket.take(now)
                    self.requests += 1
                    self.probes += self.breaker.trips > 0
                    return self.breaker.permit(now)
                self._workers.release()

    async def _ready(self, wanted: Callable[[], bool]) -> None:
        while True:
            if not wanted():
                raise Withdrawn
            now = self._ports.clock.monotonic()
            if self.breaker.trips > self._limits.breaker_trips and self.breaker.wait(now):
                raise HostDown(f"the host failed {self.breaker.trips} probes in a row")
            wait = self._wait(now)
            if not wait:
                return
            self._news.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _wait(self, now: float) -> float:
        return max(self.bucket.wait(now), self._not_before - now, self.breaker.wait(now))

    def _answered(self, permit: Permit, answer: Answer, began: float) -> None:
        now = self._ports.clock.monotonic()
        taken = now - began
        self.latency += (SHARE if self.latency else 1.0) * (taken - self.latency)
        if answer.status not in BAD:
            self.breaker.ended(permit, True, now)
            return
        pause = retry_after(answer.headers, self._ports.clock.time())
        if pause is None and answer.status == 429:
            pause = SOME_REST
        if pause is not None:
            self._not_before = max(self._not_before, now + min(pause, LONGEST_PAUSE))
        if answer.status == 429:
            self.errors["429"] += 1
            self.breaker.ended(permit, True, now)  # it is well, and says so: slow down
        else:
            self._failed(permit, "5xx")

    def _failed(self, permit: Permit, reason: str, *, well: bool = False) -> None:
        self.errors[reason] += 1
        self.breaker.ended(permit, well, self._ports.clock.monotonic())
