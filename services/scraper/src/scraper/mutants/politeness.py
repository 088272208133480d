"""Mistakes that a host has to suffer from."""

from collections.abc import Callable
from dataclasses import replace

from scraper.contract import Answer, FetchError, Limits, Ports
from scraper.core.breaker import Permit
from scraper.core.headers import retry_after
from scraper.core.robots import meaning
from scraper.core.urls import join
from scraper.engine.host import Host
from scraper.engine.robots import REDIRECTS, Known, Robots
from scraper.mutants.spoiled import Mutant, spoiled_web, with_hosts, without

__all__ = [
    "AsksAsOftenAsItHasTasks",
    "FollowsBlindly",
    "IgnoresRetryAfter",
    "OneMoreEach",
    "RestsAlone",
    "TakesSilenceForConsent",
    "TakesTheTokenFirst",
]


class TakesTheTokenFirst(Mutant):
    """Takes a token, and then waits for a worker: all who waited go at once."""

    caught_by = "rate_is_never_exceeded"

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(ports, limits)
        with_hosts(self, _TokenFirst)


class _TokenFirst(Host):
    async def _admission(self, wanted: Callable[[], bool]) -> Permit:
        async with self._turn:
            await self._ready(wanted)
            now = self._ports.clock.monotonic()
            self.bucket.take(now)
            permit = self.breaker.permit(now)
        await self._workers.acquire()
        return permit


class OneMoreEach(Mutant):
    """Begins one request more than a host may have."""

    caught_by = "hosts_and_workers_are_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, per_domain=limits.per_domain + 1)


class FollowsBlindly(Mutant):
    """Lets its HTTP client follow redirects, as clients do unless told otherwise."""

    caught_by = "robots_txt_is_obeyed"

    def spoil(self, ports: Ports) -> Ports:
        async def get(url: str) -> Answer:
            while (answer := await ports.fetcher.get(url)).status in REDIRECTS:
                url = join(url, answer.headers["location"]) or url
            return answer

        return spoiled_web(ports, get)


class AsksAsOftenAsItHasTasks(Mutant):
    """Looks whether robots.txt is known, and asks: so does every other task until the answer is there."""

    caught_by = "robots_txt_is_obeyed"

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(ports, limits)
        self._visits._robots = _EachAsks(ports, self._visits._get, 1000)


class _EachAsks(Robots):
    async def of(self, origin: str) -> Known:
        await self._fetched(f"{origin}/robots.txt")
        return await super().of(origin)


class TakesSilenceForConsent(Mutant):
    """Where robots.txt cannot be had for now, all is allowed."""

    caught_by = "robots_txt_in_trouble"

    def spoil(self, ports: Ports) -> Ports:
        async def get(url: str) -> Answer:
            if not url.endswith("/robots.txt"):
                return await ports.fetcher.get(url)
            try:
                answer = await ports.fetcher.get(url)
            except FetchError:
                return Answer(404, {})
            return Answer(404, {}) if meaning(answer.status) == "nothing" else answer

        return spoiled_web(ports, get)


class RestsAlone(Mutant):
    """Whoever was told to wait waits, in its place at the host; all others go on."""

    caught_by = "retry_after_slows_the_host"

    def spoil(self, ports: Ports) -> Ports:
        async def get(url: str) -> Answer:
            answer = await ports.fetcher.get(url)
            pause = retry_after(answer.headers, 0.0)
            if pause is None:
                return answer
            await ports.clock.sleep(pause)
            return answer._replace(headers={})

        return spoiled_web(ports, get)


class IgnoresRetryAfter(Mutant):
    """Backs off as it likes, not as it was asked to."""

    caught_by = "retry_after_slows_the_host"

    def spoil(self, ports: Ports) -> Ports:
        return without(ports, "retry-after")
