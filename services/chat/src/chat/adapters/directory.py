"""Which rooms there are for somebody, and who is in one: in pages, so that no answer is too large to be sent."""

from collections.abc import Callable, Sequence

import msgspec

from chat.adapters.log import RoomLog
from chat.adapters.rooms import Overview, RoomStore
from chat.adapters.roster import Roster
from chat.adapters.session import Session
from chat.core import answers, protocol
from chat.core.answers import Known, Person
from chat.core.names import is_dm, peer_in
from chat.core.rooms import Room, canonical

__all__ = ["Directory"]

ROOMS, PEOPLE = 50, 500  # on a page: less than 80 KB, whatever their topics and names are
UNREAD, NEWEST = 100, 2**53


class Directory:
    """Every method raises `Unavailable` when Redis is away."""

    def __init__(
        self, rooms: RoomStore, roster: Roster, now: Callable[[], float], log: Callable[[], RoomLog]
    ) -> None:
        self._rooms, self._roster, self._now, self._log = rooms, roster, now, log

    async def rooms(self, session: Session, asked: protocol.Rooms) -> answers.Rooms:
        """Those that the client can see, private conversations included; those it is a member of come first."""
        seen = await self._rooms.overview(session.user, admin=session.admin)
        places = sorted((_place(room.name, seen), room) for room in seen.visible)
        after = _place(asked.after, seen)
        rest = [room for place, room in places if place > after or not asked.after]
        page = [await self._described(room, session.user, seen) for room in rest[:ROOMS]]
        return answers.Rooms(rooms=tuple(page), more=len(rest) > ROOMS, ref=asked.ref)

    async def people(self, session: Session, asked: protocol.People) -> answers.People:
        """The members of a room. Raises `Forbidden` for a client that may not be in it, and `UnknownRoom`."""
        name = canonical(session.user, asked.room)
        room = await self._rooms.get(name)
        room.require_entry(session.user, self._now(), admin=session.admin)
        rest = [user for user in await self._rooms.members(name) if user > asked.after]
        people = await self._persons(room, rest[:PEOPLE])
        return answers.People(room=name, people=people, more=len(rest) > PEOPLE, ref=asked.ref)

    async def _persons(self, room: Room, users: Sequence[str]) -> tuple[Person, ...]:
        states = await self._roster.states(users)
        return tuple(Person(one.user, one.name, room.role(one.user), one.seen) for one in states)

    async def _described(self, room: Room, user: str, seen: Overview) -> Known:
        facts = Known(room.name, room.topic, room.private, member=room.name in seen.mine)
        if not facts.member:
            return facts
        read = seen.read.get(room.name, 0)
        new = await self._log().after(room.name, read, UNREAD + 1)
        more = len(new) > UNREAD
        if more:
            new = await self._log().before(room.name, NEWEST, UNREAD)
        events = [answers.read(text) for _, text in new]
        said = [event for event in events if isinstance(event, answers.Message) and event.user != user]
        mentions = sum(user in event.mentions for event in said)
        peer = peer_in(room.name, user) if is_dm(room.name) else None
        return msgspec.structs.replace(
            facts, read=read, unread=len(said), mentions=mentions, more=more, peer=peer
        )


def _place(name: str, seen: Overview) -> tuple[bool, bool, str]:
    """Where a room is in the list."""
    return name not in seen.mine, is_dm(name), name
