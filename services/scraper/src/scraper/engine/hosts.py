"""All hosts that were met lately, and how many links each has in hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from scraper.contract import Limits, Ports
from scraper.core.urls import host_of, origin_of
from scraper.engine.host import Host

__all__ = ["Hosts"]


@dataclass(slots=True)
class Tally:
    """What the forgotten ones had counted."""

    requests: int = 0
    probes: int = 0


class Hosts:
    """At most about `limits.domains`; one that is forgotten had nothing to remember."""

    def __init__(self, ports: Ports, limits: Limits) -> None:
        self._ports, self._limits = ports, limits
        self._workers = ports.semaphore("workers", limits.workers)
        self.ahead = max(limits.ahead, 2 * limits.per_domain)
        self.make: Callable[[Ports, Limits, asyncio.Semaphore], Host] = Host
        self.met: dict[str, Host] = {}
        self.forgotten = Tally()
        self.full: set[str] = set()
        """Hosts of which no more links should be taken."""

    def of(self, url: str) -> Host:
        name = host_of(origin_of(url))
        if name not in self.met:
            self._make_room()
            self.met[name] = self.make(self._ports, self._limits, self._workers)
        return self.met[name]

    def began(self, url: str) -> None:
        """A link is in hand."""
        host = self.of(url)
        host.users += 1
        if host.users >= self.ahead:
            self.full.add(host_of(origin_of(url)))

    def ended(self, url: str) -> None:
        """A link is out of hand."""
        name = host_of(origin_of(url))
        self.met[name].users -= 1
        if self.met[name].users < self.ahead:
            self.full.discard(name)

    def _make_room(self) -> None:
        if len(self.met) < self._limits.domains:
            return
        for name in [name for name, host in self.met.items() if host.idle()]:
            host = self.met.pop(name)
            self.forgotten.requests += host.requests
            self.forgotten.probes += host.probes
