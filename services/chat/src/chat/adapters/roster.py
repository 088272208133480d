"""Who is online on any replica. A replica that dies takes its users with it: what it said of them expires."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

__all__ = ["Roster", "State"]

PRESENCE, DEVICES, SEEN, AWAY = "chat:presence", "chat:devices", "chat:seen", "chat:away"
ANNOUNCE = """
local function announce(user, state, now)
  for _, room in ipairs(redis.call('SMEMBERS', 'chat:user:' .. user .. ':rooms')) do
    local said = {type = 'presence', room = room, user = user, state = state, at = tonumber(now)}
    local text = cjson.encode(said)
    redis.call('PUBLISH', 'chat:{' .. room .. '}:live', 'p' .. user .. '\\n' .. text)
  end
end
"""
CAME = (
    ANNOUNCE
    + """
local user, replica, expires, now = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if redis.call('ZADD', KEYS[1], 'NX', expires, user .. '|' .. replica) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], user, 1) > 1 then return 0 end
redis.call('HDEL', KEYS[4], user)
announce(user, 'online', now)
return 1
"""
)
WENT = (
    ANNOUNCE
    + """
local user, replica, now = ARGV[1], ARGV[2], ARGV[3]
if redis.call('ZREM', KEYS[1], user .. '|' .. replica) == 0 then return 0 end
if redis.call('HINCRBY', KEYS[2], user, -1) > 0 then return 0 end
redis.call('HDEL', KEYS[2], user)
redis.call('HDEL', KEYS[4], user)
redis.call('HSET', KEYS[3], user, now)
announce(user, 'offline', now)
return 1
"""
)
TURNED = (
    ANNOUNCE
    + """
local user, away, now = ARGV[1], ARGV[2], ARGV[3]
if away == '1' then redis.call('HSET', KEYS[4], user, now) else redis.call('HDEL', KEYS[4], user) end
announce(user, away == '1' and 'away' or 'online', now)
return 1
"""
)
KEYS = (PRESENCE, DEVICES, SEEN, AWAY)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """Of a user: online, away, or offline and `seen` then, in seconds since the epoch."""

    user: str
    name: str
    seen: float | None = None


class Roster:
    """`present` is the port that the hub tells; the rest goes on in `run`, and waits while Redis is away. What
    is said of users holds for `vouch` seconds, and is said again three times meanwhile."""

    def __init__(self, redis: Redis, replica: str, now: Callable[[], float], vouch: float) -> None:
        self._redis: Any = redis
        self._vouch_seconds, self._period = vouch, vouch / 3
        self._replica, self._now = replica, now
        self._here: set[str] = set()
        self._changes: asyncio.Queue[str] = asyncio.Queue()

    def present(self, user: str, online: bool) -> None:
        """A user came online here, or went."""
        (self._here.add if online else self._here.discard)(user)
        self._changes.put_nowait(user)

    async def away(self, user: str, away: bool) -> None:
        await self._redis.eval(TURNED, 4, *KEYS, user, int(away), self._now())

    async def states(self, users: Sequence[str]) -> list[State]:
        """Of each, in this order."""
        if not users:
            return []
        pipe = self._redis.pipeline(transaction=False)
        pipe.hmget(DEVICES, users).hmget(AWAY, users).hmget(SEEN, users)
        devices, away, seen = await pipe.execute()
        return [_state(user, *facts) for user, *facts in zip(users, devices, away, seen, strict=True)]

    async def run(self) -> None:
        """Tell Redis of changes, vouch for who is here, and sweep out those for whom nobody does, for ever."""
        due = 0.0
        while True:
            try:
                async with asyncio.timeout(self._period):
                    await self._tell(await self._changes.get())
            except TimeoutError:
                pass
            except RedisError as error:
                log.warning("presence is not told, trying on", error=repr(error))
                await asyncio.sleep(0.5)
            loop = asyncio.get_running_loop()
            if loop.time() >= due:
                due = loop.time() + self._period
                await self._vouch()

    async def leave(self) -> None:
        """This replica ends: nobody is here any more."""
        for user in list(self._here):
            self.present(user, False)
        try:
            while not self._changes.empty():
                await self._tell(self._changes.get_nowait())
        except RedisError as error:
            log.warning("who was here expires by itself", error=repr(error))

    async def _tell(self, user: str) -> None:
        """Whatever happened since, it is the present that is told: so an outage costs nothing but time."""
        try:
            if user in self._here:
                await self._redis.eval(
                    CAME, 4, *KEYS, user, self._replica, self._now() + self._vouch_seconds, self._now()
                )
            else:
                await self._redis.eval(WENT, 4, *KEYS, user, self._replica, self._now())
        except RedisError:
            self._changes.put_nowait(user)
            raise

    async def _vouch(self) -> None:
        try:
            if self._here:
                expires = self._now() + self._vouch_seconds
                fresh = {f"{user}|{self._replica}": expires for user in self._here}
                known = set(await self._redis.zrange(PRESENCE, 0, -1))
                await self._redis.zadd(PRESENCE, fresh, xx=True)
                for user in (user for user in self._here if f"{user}|{self._replica}" not in known):
                    self._changes.put_nowait(user)
            for expired in await self._redis.zrangebyscore(PRESENCE, "-inf", self._now(), 0, 500):
                user, _, replica = expired.partition("|")
                await self._redis.eval(WENT, 4, *KEYS, user, replica, self._now())
        except RedisError as error:
            log.warning("cannot vouch for who is here", error=repr(error))


def _state(user: str, devices: str | None, away: str | None, seen: str | None) -> State:
    if devices:
        return State(user, "away" if away else "online")
    return State(user, "offline", float(seen) if seen else None)
