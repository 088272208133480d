"""What administrators do to a room, and to whom."""

import asyncio
import uuid
from collections.abc import Callable

from chat.adapters.log import RoomLog, Unavailable, append
from chat.adapters.post import Post
from chat.adapters.rooms import RoomStore
from chat.adapters.session import Session
from chat.core.answers import Done, Notice, Presence
from chat.core.events import Event, changed
from chat.core.protocol import Command as Asked
from chat.core.protocol import Malformed
from chat.core.rooms import Command, Forbidden, Room, Verb

__all__ = ["Commands"]

PAUSE = 0.5


class Commands:
    """A command is carried out when it is in the store, with its entry in the audit log. Each replica hears of it
    as an event of the room: if Redis goes away in between, when it is back."""

    def __init__(
        self, rooms: RoomStore, post: Post, now: Callable[[], float], log: Callable[[], RoomLog]
    ) -> None:
        self._rooms, self._post, self._now, self._log = rooms, post, now, log

    async def do(self, session: Session, asked: Asked) -> Done:
        """Raises `Malformed`, `Forbidden`, `UnknownRoom`, `Unavailable`."""
        name, by, wanted = asked.room, session.user, _wanted(asked)
        if name not in session.rooms and not session.admin:
            raise Forbidden(f"you are not in {name!r}: join it first")
        if wanted.verb is Verb.KICK and wanted.user not in await self._rooms.members(name):
            raise Forbidden(f"{wanted.user or 'nobody'} is not in {name}")
        room = await self._rooms.change(name, by, wanted, admin=session.admin)
        event = changed(name, by, uuid.uuid4().hex, self._now(), wanted.verb,
                        user=wanted.user, text=wanted.text, seconds=wanted.seconds)  # fmt: skip
        id = await self._follow_up(room, wanted, event)
        if wanted.verb is Verb.INVITE:
            self._post.notify(wanted.user, Notice(room=name, who=by, why="invited"))
        return Done(room=name, verb=wanted.verb, id=id, ref=asked.ref)

    async def _end_memberships(self, room: Room, wanted: Command) -> None:
        if wanted.verb is Verb.CLOSE:
            await self._rooms.empty(room)
        elif wanted.verb in (Verb.KICK, Verb.BAN) and await self._rooms.leave(room.name, wanted.user):
            self._post.tell(Presence(room=room.name, user=wanted.user, state="left", at=self._now()))

    async def _follow_up(self, room: Room, wanted: Command, event: Event) -> int:
        """The id of the event. It has been decided: what cannot be done now is done later."""
        try:
            return await self._carry_out(room, wanted, event)
        except Unavailable:
            self._post.begin(self._insist(room, wanted, event))
            raise

    async def _insist(self, room: Room, wanted: Command, event: Event) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self._carry_out(room, wanted, event)
            except Unavailable:
                continue
            return

    async def _carry_out(self, room: Room, wanted: Command, event: Event) -> int:
        """More than once is harmless. Nobody hears of it, and comes back, before the membership has ended."""
        await self._end_memberships(room, wanted)
        return (await append(self._log(), event)).id


def _wanted(asked: Asked) -> Command:
    try:
        return Command(Verb(asked.verb), asked.user or "", asked.text, asked.seconds)
    except ValueError:
        raise Malformed(f"no command {asked.verb!r}: there are {', '.join(Verb)}") from None
