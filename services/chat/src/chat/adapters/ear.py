"""What Redis publishes on the channels that are listened to, for as long as the service runs."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chat.adapters.wire import Wire, dial

__all__ = ["Ear"]

EVERYBODY = "chat:everybody"  # so that something is listened to before anybody is here
PING_SECONDS, PAUSE = 5.0, 0.2
log = structlog.get_logger(__name__)


class Ear:
    """`hear(kind, channel, text)` is called for each `message`, and at each `subscribe`: from then on, what is
    published on that channel comes. After a lost connection there is one for each channel again."""

    def __init__(self, redis: Redis, hear: Callable[[str, str, str], None]) -> None:
        self._redis, self._hear = redis, hear
        self._channels = {EVERYBODY}
        self._wire: Wire | None = None
        self._heard = False

    @property
    def connected(self) -> bool:
        return self._wire is not None

    def listen(self, channel: str) -> None:
        """Soon, or as soon as Redis is there."""
        if channel not in self._channels:
            self._channels.add(channel)
            if self._wire:
                self._wire.say([("SUBSCRIBE", channel)])

    def unlisten(self, channel: str) -> None:
        if channel in self._channels:
            self._channels.remove(channel)
            if self._wire:
                self._wire.say([("UNSUBSCRIBE", channel)])

    async def run(self) -> None:
        """Redis may be away for as long as it likes."""
        said = False
        while True:
            try:
                wire = await dial(self._redis, self._take)
                log.info("redis tells of the rooms")
                error: Exception = await self._listen_to(wire)
                said = False
            except (RedisError, OSError) as refused:
                error = refused
            if not said:
                log.warning("redis does not tell of the rooms", error=repr(error))
                said = True
            await asyncio.sleep(PAUSE)

    async def _listen_to(self, wire: Wire) -> OSError:
        """Why it ended."""
        self._wire = wire
        try:
            wire.say([("SUBSCRIBE", *self._channels)])
            while not wire.lost.done():
                wire.say([("PING",)])
                self._heard = False
                await asyncio.wait([wire.lost], timeout=PING_SECONDS)
                if not (self._heard or wire.lost.done()):
                    return TimeoutError(f"no word within {PING_SECONDS:g} s")
            return wire.lost.result()
        finally:
            self._wire = None
            await wire.end()

    def _take(self, said: Any) -> None:
        self._heard = True
        if isinstance(said, list) and len(said) == 3:
            self._hear(*said)
