"""The rooms that exist, who is a member, and what each member has read: in Redis, the same for all
replicas."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from chat.adapters.log import Unavailable
from chat.adapters.people import ADMIN
from chat.contract import ChatError
from chat.core.names import is_dm
from chat.core.protocol import MAX_ROOMS
from chat.core.rooms import AGAINST, Command, Forbidden, Role, Room, command

__all__ = ["Conflict", "RoomStore", "UnknownRoom"]

ROOMS, AUDIT, AUDITED, ATTEMPTS = "chat:rooms", "chat:audit", 10_000, 5
MOST_MADE = 50  # by one user, that are not closed
CREATE = """
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 'taken' end
if redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[3]) then return 'many' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SADD', KEYS[2], ARGV[1])
return 'made'
"""
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
    user: str = ""
    text: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Overview:
    """The rooms that somebody may know of, private conversations included; those among them that are `mine`; and
    up to which id each was `read`."""

    visible: Sequence[Room]
    mine: frozenset[str]
    read: Mapping[str, int]


class RoomStore:
    """Every method raises `Unavailable` when Redis is away. A room is remembered from `refresh` to `forget`: only
    while somebody follows it, who hears of each change and refreshes it then."""

    def __init__(self, redis: Redis, now: Callable[[], float]) -> None:
        self._redis: Any = redis
        self._now = now
        self._known: dict[str, Room] = {}
        self._founded: set[str] = set()
        self._refreshing = asyncio.Lock()  # what is remembered is the last answer to the last question

    async def found(self, *names: str) -> None:
        """See to it that these public rooms exist, also when Redis has lost them."""
        self._founded.update(names)
        for name in names:
            await self._ask(self._redis.hsetnx(ROOMS, name, _text_of(Room(name))))

    def cached(self, name: str) -> Room | None:
        """What is remembered of the room."""
        return self._known.get(name)

    async def get(self, name: str) -> Room:
        """The room as it is remembered, or else as it is now. Raises `UnknownRoom`."""
        return self._known.get(name) or await self._find(name)

    async def refresh(self, name: str) -> Room:
        """The room as it is now, and remember it. Raises `UnknownRoom`."""
        async with self._refreshing:
            self._known[name] = room = await self._find(name)
        return room

    async def _find(self, name: str) -> Room:
        if is_dm(name):
            return Room(name, private=True)
        return _room(await self._text(name))

    async def _text(self, name: str) -> str:
        found: str | None = await self._ask(self._redis.hget(ROOMS, name))
        if found is None and name in self._founded:
            await self.found(name)
            return await self._text(name)
        if found is None:
            raise UnknownRoom(f"there is no room {name!r}: make it with create, or look at rooms")
        return found

    def forget(self, name: str) -> None:
        """Nobody follows the room any more."""
        self._known.pop(name, None)

    async def create(self, room: Room, owner: str) -> Room:
        """Raises `Conflict`; and `Forbidden` for who has made too many."""
        made = Room(room.name, room.topic, room.private, roles={owner: Role.OWNER})
        given = (room.name, _text_of(made), MOST_MADE)
        answer = await self._ask(self._redis.eval(CREATE, 2, ROOMS, _made(owner), *given))
        if answer == "taken":
            raise Conflict(f"there is a room {room.name!r} already: join it, or choose another name")
        if answer == "many":
            raise Forbidden(f"you have made {MOST_MADE} rooms: close one first")
        return made

    async def change(self, name: str, by: str, asked: Command, *, admin: bool) -> Room:
        """Do what an administrator asks for, and write it into the audit log, in one step. Raises
        `Forbidden`."""
        if is_dm(name):
            raise Forbidden("a private conversation has no administrators")
        above = asked.verb in AGAINST and bool(await self._ask(self._redis.exists(ADMIN + asked.user)))
        for _ in range(ATTEMPTS):
            before, now = await self._text(name), self._now()
            after = command(_room(before), by, asked, now, admin=admin, against_admin=above)
            entry = Audited(now, by, name, asked.verb, asked.user, asked.text, asked.seconds)
            if await self._replace(name, before, _text_of(after), entry):
                if name in self._known:
                    self._known[name] = after
                return after
        raise Conflict(f"{name} is being changed by several administrators: try again")

    async def _replace(self, name: str, before: str, after: str, entry: Audited) -> bool:
        """False if the room is not what it was `before`."""
        given = (name, before, after, json.dumps(asdict(entry)), AUDITED)
        return bool(await self._ask(self._redis.eval(CHANGE, 2, ROOMS, AUDIT, *given)))

    async def note(self, by: str, room: str, verb: str, *, user: str = "", text: str = "") -> None:
        """Write into the audit log what a moderator did that is no command: `delete` of what `user` said."""
        entry = json.dumps(asdict(Audited(self._now(), by, room, verb, user, text)))
        await self._ask(self._redis.xadd(AUDIT, {"audit": entry}, maxlen=AUDITED, approximate=True))

    async def audit(self, room: str, limit: int) -> list[dict[str, Any]]:
        """What administrators did, newest first; of one room, or all."""
        found = await self._ask(self._redis.xrevrange(AUDIT, count=AUDITED))
        entries = [json.loads(fields["audit"]) for _, fields in found]
        return [entry for entry in entries if room in ("", entry["room"])][:limit]

    async def enter(self, name: str, user: str) -> bool:
        """Make `user` a member; whether that is new. Raises `Forbidden` for a member of too many rooms: private
        conversations, which others can begin, do not count."""
        async with self._redis.pipeline(transaction=True) as both:
            both.sadd(_members(name), user).sadd(_rooms(user), name).smembers(_rooms(user))
            new, _, mine = await self._ask(both.execute())
        if new and not is_dm(name) and sum(not is_dm(room) for room in mine) > MAX_ROOMS:
            await self.leave(name, user)
            raise Forbidden(f"you are a member of {MAX_ROOMS} rooms: leave one first")
        return bool(new)

    async def leave(self, name: str, user: str) -> bool:
        """Make `user` no member any more; whether that is new."""
        async with self._redis.pipeline(transaction=True) as both:
            both.srem(_members(name), user).srem(_rooms(user), name)
            return bool((await self._ask(both.execute()))[0])

    async def has_member(self, name: str, user: str) -> bool:
        return bool(await self._ask(self._redis.sismember(_members(name), user)))

    async def empty(self, room: Room) -> None:
        """A room is closed: it has no members, and counts for nobody."""
        async with self._redis.pipeline(transaction=True) as all_of_them:
            for user in await self.members(room.name):
                all_of_them.srem(_rooms(user), room.name)
            for user in room.roles:
                all_of_them.srem(_made(user), room.name)
            await self._ask(all_of_them.delete(_members(room.name)).execute())

    async def members(self, name: str) -> list[str]:
        return sorted(await self._ask(self._redis.smembers(_members(name))))

    async def mark_read(self, name: str, user: str, id: int) -> None:
        await self._ask(self._redis.hset(_read(user), name, id))

    async def overview(self, user: str, *, admin: bool) -> Overview:
        """What `user` sees first, in one round trip."""
        async with self._redis.pipeline(transaction=False) as asked:
            asked.hgetall(ROOMS).smembers(_rooms(user)).hgetall(_read(user))
            rooms, mine, read = await self._ask(asked.execute())
        known = map(_room, rooms.values())
        visible = [room for room in known if _may_know(room, user, admin=admin)]
        private = [Room(name, private=True) for name in mine if is_dm(name)]
        return Overview([*visible, *private], frozenset(mine), {name: int(id) for name, id in read.items()})

    async def _ask(self, call: Any) -> Any:
        try:
            return await call
        except RedisError as error:
            raise Unavailable(f"Redis does not answer: {error}") from error


def _room(text: str) -> Room:
    return Room.from_dict(json.loads(text))


def _text_of(room: Room) -> str:
    return json.dumps(room.as_dict())


def _may_know(room: Room, user: str, *, admin: bool) -> bool:
    return not room.closed and (admin or not room.private or user in room.roles or user in room.invited)


def _members(name: str) -> str:
    return f"chat:{{{name}}}:members"


def _rooms(user: str) -> str:
    return f"chat:user:{user}:rooms"


def _made(user: str) -> str:
    return f"chat:user:{user}:made"


def _read(user: str) -> str:
    return f"chat:user:{user}:read"
