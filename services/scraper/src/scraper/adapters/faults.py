"""Faults of the scraper's own ports, switched on at run time."""

import asyncio

from lab_kit.faults import Fault, Faults
from scraper.contract import Answer, Fetcher, NameUnknown
from scraper.core.urls import host_of, origin_of

__all__ = ["FAULTS", "FaultyFetcher"]

FAULTS = (
    Fault("slow-network", "seconds", "every request takes this much longer", 10.0),
    Fault("dns-failure", "probability", "the name of a host has no address"),
    Fault("server-error", "probability", "a page is answered with 503 before it is asked for"),
    Fault(
        "host-down", "hosts", "so many of the hosts site-1.lab.test, site-2.lab.test … answer 503 only", 20
    ),
)


class FaultyFetcher:
    """`inner`, with what `faults` has switched on."""

    def __init__(self, inner: Fetcher, faults: Faults) -> None:
        self._inner, self._faults = inner, faults

    async def get(self, url: str) -> Answer:
        faults = self._faults
        if faults.fired("slow-network"):
            await asyncio.sleep(faults.magnitude("slow-network"))
        if faults.drawn("dns-failure"):
            raise NameUnknown(f"{url}: no address (a fault that is switched on)")
        if self._is_down(url) or (not url.endswith("/robots.txt") and faults.drawn("server-error")):
            return Answer(503, {})
        return await self._inner.get(url)

    def _is_down(self, url: str) -> bool:
        number = host_of(origin_of(url)).removeprefix("site-").partition(".")[0]
        down = number.isdigit() and 0 < int(number) <= self._faults.magnitude("host-down")
        return down and self._faults.fired("host-down")
