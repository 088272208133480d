"""robots.txt of each origin, asked for once, however many want to know."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from scraper.contract import Answer, FetchError, Ports, Refused, Rules
from scraper.core.robots import MOST_REDIRECTS, Meaning, lifetime, meaning
from scraper.core.urls import join

__all__ = ["Known", "Robots", "RobotsUnavailable"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
SMALL = 16 * 1024


class RobotsUnavailable(FetchError):
    """Nobody can say what is allowed, so nothing is, for now."""

    reason = "robots-unavailable"


class _Everything:
    delay: float | None = None

    def allows(self, url: str) -> bool:
        return True


@dataclass(slots=True)
class Known:
    """What is known of one origin until `until`; `asking` is held by whoever finds it out."""

    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    until: float = float("-inf")
    rules: Rules | None = None

    def allows(self, url: str) -> bool:
        """By the newest that is known, old as that may be."""
        return self.rules is not None and self.rules.allows(url)


class Robots:
    """The newest `most` origins. `get(url, asked)` fetches politely: `asked`, or where that was redirected to."""

    def __init__(self, ports: Ports, get: Callable[[str, str], Awaitable[Answer]], most: int) -> None:
        self._ports, self._get, self._most = ports, get, most
        self._entries: OrderedDict[str, Known] = OrderedDict()

    async def of(self, origin: str) -> Known:
        """What is allowed at `origin`. Raises `RobotsUnavailable`, or `Refused` for one that may not be asked."""
        entry = self._entries.get(origin)
        if entry is None:
            entry = self._entries[origin] = Known()
        self._entries.move_to_end(origin)
        if self._ports.clock.monotonic() >= entry.until:
            async with entry.asking:  # who asked second finds the answer of the first
                if self._ports.clock.monotonic() >= entry.until:
                    await self._ask(origin, entry)
        if entry.rules is None:
            error = RobotsUnavailable(f"{origin}/robots.txt cannot be had, so nothing is fetched there")
            error.retry_after = entry.until - self._ports.clock.monotonic()
            raise error
        return entry

    async def _ask(self, origin: str, entry: Known) -> None:
        answer = await self._fetched(f"{origin}/robots.txt")
        found = meaning(answer.status if answer else None)
        if found is Meaning.RULES and answer:
            entry.rules = await self._parsed(answer.body)
        else:
            entry.rules = _Everything() if found is Meaning.EVERYTHING else None
        headers = answer.headers if answer else {}
        entry.until = self._ports.clock.monotonic() + lifetime(found, headers)
        self._forget()

    async def _fetched(self, asked: str) -> Answer | None:
        """The final answer, None if there is none; after too many redirects, that there is no robots.txt."""
        url = asked
        for _ in range(MOST_REDIRECTS + 1):
            try:
                answer = await self._get(url, asked)
            except FetchError as error:
                if isinstance(error, Refused) and url == asked:
                    raise
                return None
            if answer.status not in REDIRECTS:
                return answer
            target = join(url, answer.headers.get("location", ""))
            if target is None or not self._ports.allowed(target):
                return None
            url = target
        return Answer(404, {})

    async def _parsed(self, body: bytes) -> Rules:
        if len(body) <= SMALL:
            return self._ports.parse_robots(body)
        rules: Rules = await self._ports.offload(self._ports.parse_robots, body)
        return rules

    def _forget(self) -> None:
        while len(self._entries) > self._most and not next(iter(self._entries.values())).asking.locked():
            self._entries.popitem(last=False)
