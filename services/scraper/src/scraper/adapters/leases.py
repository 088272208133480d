"""Which hosts this replica may ask, as long as it is heard of. In Redis: a host is one replica's at a time."""

import time
import uuid
from collections import Counter
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from scraper.adapters import scripts
from scraper.contract import Answer, Fetcher
from scraper.core.headers import retry_after
from scraper.core.shards import SHARDS, Holding, shard_of, share
from scraper.core.urls import host_of, origin_of

__all__ = ["ALIVE", "BEATS", "RESTING", "LeasedFetcher", "Leases"]

ALIVE, REPLICAS, HOLDERS = "lab:scraper:alive:", "lab:scraper:replicas", "lab:scraper:shards"
RESTING = "lab:scraper:resting:"
LEASE_SECONDS, LONGEST_REST = 6.0, 3600.0
BEATS = 4
"""How often a lease is renewed while it lasts."""


class Leases:
    """A replica that does not `renew` for `seconds` has died: it believes so itself, and asks nobody, before the
    others do. `rest` is how long a host is asked by nobody when it changes hands: see `Holding`.
    """

    def __init__(self, redis: Redis, rest: float, seconds: float = LEASE_SECONDS) -> None:
        self._redis: Any = redis
        self.owner, self.seconds = uuid.uuid4().hex[:12], seconds
        self._holding = Holding(seconds, rest)
        self._asking: Counter[int] = Counter()
        self._leaving: set[int] = set()
        names = ("JOIN", "CLAIM", "RELEASE", "LEAVE")
        self._scripts = {name: self._redis.register_script(getattr(scripts, name)) for name in names}

    def holds(self, url: str) -> bool:
        """Whether the host of a normalised URL may be asked by this replica, now."""
        return self._holding.holds(_shard(url), time.monotonic())

    def held(self) -> str:
        """A character for each shard, 1 for those whose hosts may be asked now."""
        now = time.monotonic()
        return "".join("1" if self._holding.holds(shard, now) else "0" for shard in range(SHARDS))

    async def renew(self) -> None:
        """Go on living; take the shards that are due to this replica, and leave those that are due to others once
        no request to them is on its way. Raises `RedisError`."""
        asked = time.monotonic()
        term = int(1000 * self.seconds)
        replicas = await self._scripts["JOIN"](keys=[ALIVE, REPLICAS], args=[self.owner, term])
        wanted = share(self.owner, frozenset(replicas))
        self._leaving = (self._leaving | self._holding.keep(wanted)) - wanted
        await self._release()
        held, fresh = await self._scripts["CLAIM"](keys=[ALIVE, HOLDERS], args=[self.owner, *wanted])
        self._holding.renewed(
            asked, time.monotonic(), {int(one) for one in held}, {int(one) for one in fresh}
        )

    async def leave(self) -> None:
        """Others may have all that this replica had. Raises `RedisError`."""
        self._holding.keep(())
        await self._scripts["LEAVE"](keys=[ALIVE, REPLICAS], args=[self.owner])

    def begun(self, url: str) -> None:
        """A request is on its way."""
        self._asking[_shard(url)] += 1

    def ended(self, url: str) -> None:
        """It is there."""
        self._asking[_shard(url)] -= 1

    async def let_rest(self, url: str, seconds: float) -> None:
        """Nobody takes links of this host for so long, whoever will have it then."""
        with suppress(RedisError):  # the engine that was told knows it, too
            key, pause = RESTING + host_of(origin_of(url)), max(1, int(1000 * min(seconds, LONGEST_REST)))
            if not await self._redis.set(key, 1, px=pause, nx=True):
                await self._redis.pexpire(key, pause, gt=True)  # the longest that was asked for

    async def _release(self) -> None:
        quiet = {shard for shard in self._leaving if not self._asking[shard]}
        if quiet:
            await self._scripts["RELEASE"](keys=[HOLDERS], args=[self.owner, *quiet])
            self._leaving -= quiet


class LeasedFetcher:
    """`inner`, under the eyes of `leases`: they know what is on its way, and which host asked for rest."""

    def __init__(self, inner: Fetcher, leases: Leases) -> None:
        self._inner, self._leases = inner, leases

    async def get(self, url: str) -> Answer:
        self._leases.begun(url)
        try:
            answer = await self._inner.get(url)
        finally:
            self._leases.ended(url)
        if "retry-after" in answer.headers and (answer.status == 429 or answer.status >= 500):
            await self._leases.let_rest(url, retry_after(answer.headers, time.time()) or 0.0)
        return answer


def _shard(url: str) -> int:
    return shard_of(host_of(origin_of(url)))
