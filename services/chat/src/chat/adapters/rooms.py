"""The rooms that exist, who is a member, and what each member has read: in Redis, the same for all
replicas."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chat.adapters.log import Unavailable
from chat.contract import ChatError
from chat.core.names import is_dm
from chat.core.rooms import Command, Forbidden, Role, Room, command

__all__ = ["Conflict", "RoomStore", "UnknownRoom"]

ROOMS, AUDIT, AUDITED, ATTEMPTS = "chat:rooms", "chat:audit", 10_000, 5
CHANGE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'audit', ARGV[4])
return 1
"""


class UnknownRoom(ChatError):
    """There is no such room."""

    code = "unknown"


class Conflict(ChatError):
    """That exists already, or somebody else was faster."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class Audited:
    """Who did what to which room, and when."""

    at: float
    by: str
    room: str
    verb: str
    user: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The rooms that somebody may know of, private conversations included; those among them that are `mine`; and
    up to which id each was `read`."""

    visible: Sequence[Room]
    mine: frozenset[str]
    read: Mapping[str, int]


class RoomStore:
    """Every method raises `Unavailable` when Redis is away. What is asked for often is remembered until
    `refresh`."""

    def __init__(self, redis: Redis, now: Callable[[], float]) -> None:
        self._redis: Any = redis
        self._now = now
        self._known: dict[str, Room] = {}

    async def found(self, *names: str) -> None:
        """See to it that these public rooms exist."""
        for name in names:
            await self._ask(self._redis.hsetnx(ROOMS, name, json.dumps(Room(name).as_dict())))

    def cached(self, name: str) -> Room | None:
        """What is known of the room without asking."""
        return self._known.get(name)

    async def get(self, name: str) -> Room:
        """The room, as last asked for. Raises `UnknownRoom`."""
        return self._known.get(name) or await self.refresh(name)

    async def refresh(self, name: str) -> Room:
        """The room as it is now. Raises `UnknownRoom`."""
        if is_dm(name):
            room = Room(name, private=True)
        else:
            found = await self._ask(self._redis.hget(ROOMS, name))
            if not found:
                self._known.pop(name, None)
                raise UnknownRoom(f"there is no room {name!r}: make it with create, or look at rooms")
            room = Room.from_dict(json.loads(found))
        self._known[name] = room
        return room

    def forget(self, name: str) -> None:
        self._known.pop(name, None)

    async def create(self, room: Room, owner: str) -> Room:
        """Raises `Conflict`."""
        made = Room(room.name, room.topic, room.private, roles={owner: Role.OWNER})
        if not await self._ask(self._redis.hsetnx(ROOMS, room.name, json.dumps(made.as_dict()))):
            raise Conflict(f"there is a room {room.name!r} already: join it, or choose another name")
        return made

    async def change(self, name: str, by: str, asked: Command, *, admin: bool) -> Room:
        """Do what an administrator asks for, and write it into the audit log, in one step. Raises
        `Forbidden`."""
        if is_dm(name):
            raise Forbidden("a private conversation has no administrators")
        for _ in range(ATTEMPTS):
            before = await self._ask(self._redis.hget(ROOMS, name))
            if not before:
                raise UnknownRoom(f"there is no room {name!r}")
            now = self._now()
            room = command(Room.from_dict(json.loads(before)), by, asked, now, admin=admin)
            entry = Audited(now, by, name, asked.verb, asked.user, asked.text, asked.seconds)
            audit = json.dumps({field: getattr(entry, field) for field in Audited.__slots__})
            after = json.dumps(room.as_dict())
            if await self._ask(
                self._redis.eval(CHANGE, 2, ROOMS, AUDIT, name, before, after, audit, AUDITED)
            ):
                self._known[name] = room
                return room
        raise Conflict(f"{name} is being changed by several administrators: try again")

    async def audit(self, room: str, limit: int) -> list[dict[str, Any]]:
        """What administrators did, newest first; of one room, or all."""
        found = await self._ask(self._redis.xrevrange(AUDIT, count=AUDITED))
        entries = [json.loads(fields["audit"]) for _, fields in found]
        return [entry for entry in entries if room in ("", entry["room"])][:limit]

    async def enter(self, name: str, user: str) -> bool:
        """Make `user` a member; whether that is new."""
        async with self._redis.pipeline(transaction=True) as both:
            both.sadd(_members(name), user).sadd(_rooms(user), name)
            return bool((await self._ask(both.execute()))[0])

    async def leave(self, name: str, user: str) -> None:
        async with self._redis.pipeline(transaction=True) as both:
            both.srem(_members(name), user).srem(_rooms(user), name)
            await self._ask(both.execute())

    async def members(self, name: str) -> list[str]:
        return sorted(await self._ask(self._redis.smembers(_members(name))))

    async def mark_read(self, name: str, user: str, id: int) -> None:
        await self._ask(self._redis.hset(_read(user), name, id))

    async def overview(self, user: str, *, admin: bool) -> Overview:
        """What `user` sees first, in one round trip."""
        async with self._redis.pipeline(transaction=False) as asked:
            asked.hgetall(ROOMS).smembers(_rooms(user)).hgetall(_read(user))
            rooms, mine, read = await self._ask(asked.execute())
        known = [Room.from_dict(json.loads(text)) for text in rooms.values()]
        visible = [room for room in known if _may_know(room, user, admin=admin)]
        private = [Room(name, private=True) for name in mine if is_dm(name)]
        ordered = [*sorted(visible, key=_name), *sorted(private, key=_name)]
        return Overview(ordered, frozenset(mine), {name: int(id) for name, id in read.items()})

    async def _ask(self, call: Any) -> Any:
        try:
            return await call
        except RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error


_name = attrgetter("name")


def _may_know(room: Room, user: str, *, admin: bool) -> bool:
    return not room.closed and (admin or not room.private or user in room.roles or user in room.invited)


def _members(name: str) -> str:
    return f"chat:{{{name}}}:members"


def _rooms(user: str) -> str:
    return f"chat:user:{user}:rooms"


def _read(user: str) -> str:
    return f"chat:user:{user}:read"
