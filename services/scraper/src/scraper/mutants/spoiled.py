"""The reference behind spoiled ports, limits or parts: what the wrong solutions are made of."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

from scraper.contract import Answer, Fetcher, Frontier, Limits, Ports
from scraper.engine import Crawler
from scraper.engine.host import Host

__all__ = ["Mutant", "Wrapped", "spoiled_frontier", "spoiled_web", "with_hosts"]


class Wrapped:
    """A port, but for the attributes that are given."""

    def __init__(self, inner: Any, **spoiled: Any) -> None:
        self.inner = inner
        vars(self).update(spoiled)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Mutant(Crawler):
    """The reference behind spoiled ports or limits. `caught_by` names the check that has to reject it."""

    caught_by: ClassVar[str]

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(self.spoil(ports), self.stretch(limits or Limits()))

    def spoil(self, ports: Ports) -> Ports:
        return ports

    def stretch(self, limits: Limits) -> Limits:
        return limits


def spoiled_web(ports: Ports, get: Callable[..., Any]) -> Ports:
    """`ports` with another `get`."""
    return replace(ports, fetcher=cast(Fetcher, Wrapped(ports.fetcher, get=get)))


def spoiled_frontier(ports: Ports, **spoiled: Callable[..., Any]) -> Ports:
    """`ports` with a frontier that has other methods."""
    return replace(ports, frontier=cast(Frontier, Wrapped(ports.frontier, **spoiled)))


def without(ports: Ports, header: str) -> Ports:
    """`ports` with a web whose answers lack a header."""

    async def get(url: str) -> Answer:
        answer = await ports.fetcher.get(url)
        return answer._replace(headers=_but(answer.headers, header))

    return spoiled_web(ports, get)


def with_hosts(crawler: Crawler, kind: type[Host]) -> None:
    """Have `crawler` make its hosts of another kind."""
    crawler._hosts.make = kind


def _but(headers: Mapping[str, str], name: str) -> Mapping[str, str]:
    return {key: value for key, value in headers.items() if key != name}
