"""Coming and going: joining with what was missed, leaving, who is here, and administrators' commands."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from chat.adapters.bulletin import Bulletin
from chat.adapters.feed import Feed, Followed
from chat.adapters.log import RoomLog, append, channel, room_of
from chat.adapters.rooms import RoomStore, UnknownRoom
from chat.adapters.roster import Roster
from chat.adapters.session import Session
from chat.contract import ChatError, Frame, Hub, Kind
from chat.core import answers, events, frames
from chat.core.answers import Change, Happened, Known, Left, Notice, Presence, Typing
from chat.core.names import dm_of, is_dm, is_user_name, peer_in
from chat.core.protocol import Away, Create, Join, Leave, Malformed, Message, People, Rooms
from chat.core.protocol import Command as Asked
from chat.core.rooms import Command, Forbidden, Room, Verb

__all__ = ["Visits"]

PAGE, BYTES = 200, 48 * 1024  # sent in a row
FIRST = 50  # events for who comes for the first time
UNREAD = 100
log = structlog.get_logger(__name__)


class Visits:
    """For the one loop. A client is in a room when it has everything up to the room's position, not before."""

    def __init__(
        self,
        hub: Callable[[], Hub],
        redis: Redis,
        rooms: RoomStore,
        roster: Roster,
        now: Callable[[], float],
    ) -> None:
        self._hub, self._redis, self._rooms, self._roster, self._now = hub, redis, rooms, roster, now
        self.log: RoomLog
        self.feed: Feed
        self._here: dict[str, set[Session]] = defaultdict(set)
        self._devices: dict[str, set[Session]] = defaultdict(set)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._bulletin = Bulletin(lambda room, frame: self._hub().publish(room, frame))

    async def do(self, session: Session, request: Message) -> None:
        """Raises `ChatError`."""
        match request:
            case Join():
                await self._join(session, request)
            case Leave():
                self._exit(session, request.room)
                await self._rooms.leave(request.room, session.user)
                self._answer(session, Left(room=request.room, ref=request.ref))
            case Away():
                await self._roster.away(session.user, request.away)
            case Rooms():
                known = tuple(await self.rooms(session))
                self._answer(session, answers.Rooms(rooms=known, ref=request.ref))
            case People():
                await self._people(session, request)
            case Create():
                made = await self._rooms.create(
                    Room(request.room, request.topic, request.private), session.user
                )
                self._answer(session, answers.Created(room=made.name, ref=request.ref))
            case Asked():
                await self._command(session, request)

    async def expect(self, user: str) -> None:
        """Somebody is about to be here: listen to what is meant for them. Raises `Unavailable`."""
        await self.feed.listen(_inbox(user))

    def came(self, session: Session) -> None:
        self._devices[session.user].add(session)

    def gone(self, session: Session) -> None:
        """Forget a client that has ended, and what only it needed."""
        devices = self._devices[session.user]
        devices.discard(session)
        if not devices:
            del self._devices[session.user]
            self.feed.unlisten(_inbox(session.user))
        for room in list(session.rooms):
            self._exit(session, room)

    async def rooms(self, session: Session) -> list[Known]:
        """The rooms a client can see, private conversations included."""
        user, seen = session.user, await self._rooms.overview(session.user, admin=session.admin)
        return [
            await self._described(room, user, room.name in seen.mine, seen.read.get(room.name, 0))
            for room in seen.visible
        ]

    def noticed(self, event: Happened) -> None:
        """Something other than a message happened in a room."""
        if isinstance(event, Change):
            self._begin(self._apply(event))

    def told(self, where: str, text: str) -> None:
        """Presence and typing of a room, and what is meant for one user."""
        if where.startswith("chat:inbox:"):
            for session in self._devices.get(where.removeprefix("chat:inbox:"), ()):
                self._hub().send(session.connection, frames.frame(text.encode()))
                self._begin(self._open(session, _notice(text)))
            return None
        user, _, message = text[1:].partition("\n")
        room, data = room_of(where), message.encode()
        if text[:1] == "p":
            return self._bulletin.tell(room, user, data)
        born = asyncio.get_running_loop().time()
        self._hub().publish(room, frames.frame(data, Kind.TYPING, f"typing/{room}/{user}", born))
        return None

    async def _join(self, session: Session, request: Join) -> None:
        name = _canonical(session.user, request.room)
        try:
            room = await self._rooms.get(name)
        except UnknownRoom:
            room = await self._rooms.refresh(name)
        room.require_entry(session.user, self._now(), admin=session.admin)
        if name in session.rooms:
            raise Malformed(f"you are in {name} already")
        for member in _both(name) if is_dm(name) else [session.user]:
            if await self._rooms.enter(name, member) and member == session.user:
                self.tell(Presence(room=name, user=member, state="online", at=self._now()))
        followed = await self.feed.follow(name)
        self._here[name].add(session)
        session.rooms.add(name)
        try:
            await self._catch_up(session, followed, request, room)
        except ChatError:
            self._exit(session, name)
            raise

    async def _catch_up(self, session: Session, followed: Followed, request: Join, room: Room) -> None:
        """Send what is missing up to the position, then join without a pause between: so the next is the
        next."""
        cursor = max(0, followed.position - FIRST) if request.after is None else request.after
        role = room.role(session.user, admin=session.admin)
        self._answer(session, answers.Joined(room=room.name, topic=room.topic, private=room.private, role=role,
                                     last=followed.position, after=cursor, ref=request.ref))  # fmt: skip
        while cursor < followed.position:
            page = followed.after(cursor)
            if page is None:
                found = await self.log.after(room.name, cursor, PAGE)
                page = [(id, frames.frame(text.encode())) for id, text in found] or [
                    (followed.position, _NOTHING)
                ]
            cursor = await self._send_page(session, page)
            if session.over or room.name not in session.rooms:
                return
        self._hub().join(session.connection, room.name)
        session.settled.add(room.name)
        self._answer(session, answers.CaughtUp(room=room.name, last=followed.position, ref=request.ref))

    async def _send_page(self, session: Session, page: list[tuple[int, Frame]]) -> int:
        """Send as much of `page` as fits between two waits for the client; the id up to which that was."""
        size = last = 0
        for id, frame in page:
            if frame.data:
                self._hub().send(session.connection, frame)
            size, last = size + len(frame.data), id
            if size >= BYTES:
                break
        await asyncio.sleep(0)  # the hub writes at the end of this turn of the loop
        await session.connection.drain()
        return last

    def _exit(self, session: Session, room: str) -> None:
        self._hub().leave(session.connection, room)
        session.rooms.discard(room)
        session.settled.discard(room)
        here = self._here.get(room, set())
        here.discard(session)
        if not here:
            self._here.pop(room, None)
            self._begin(self._forget(room))

    async def _forget(self, room: str) -> None:
        if room not in self._here:
            await self.feed.forget(room)
            self._rooms.forget(room)

    async def _apply(self, event: Change) -> None:
        """What a change means for the clients of this replica."""
        room = event.room
        state = await self._rooms.refresh(room)
        for session in list(self._here.get(room, ())):
            thrown_out = event.verb in (Verb.KICK, Verb.BAN) and event.user == session.user
            if thrown_out or (state.closed and not is_dm(room)):
                self._exit(session, room)
                self._answer(session, Left(room=room, why=event.verb, by=event.by))

    async def _command(self, session: Session, asked: Asked) -> None:
        try:
            wanted = Command(Verb(asked.verb), asked.user or "", asked.text, asked.seconds)
        except ValueError:
            raise Malformed(f"no command {asked.verb!r}: there are {', '.join(Verb)}") from None
        if wanted.verb is Verb.KICK and wanted.user not in await self._rooms.members(asked.room):
            raise Forbidden(f"{wanted.user or 'nobody'} is not in {asked.room}")
        await self._rooms.change(asked.room, session.user, wanted, admin=session.admin)
        event = events.changed(asked.room, session.user, uuid.uuid4().hex, self._now(), wanted.verb,
                               user=wanted.user, text=wanted.text, seconds=wanted.seconds)  # fmt: skip
        receipt = await append(self.log, event)
        if wanted.verb in (Verb.KICK, Verb.BAN):
            await self._rooms.leave(asked.room, wanted.user)
        if wanted.verb is Verb.INVITE:
            self.notify(wanted.user, Notice(room=asked.room, who=session.user, why="invited"))
        self._answer(session, answers.Done(room=asked.room, verb=wanted.verb, id=receipt.id, ref=asked.ref))

    async def _people(self, session: Session, request: People) -> None:
        name = _canonical(session.user, request.room)
        room = await self._rooms.get(name)
        room.require_entry(session.user, self._now(), admin=session.admin)
        states = await self._roster.states(await self._rooms.members(name))
        people = tuple(
            answers.Person(user=one.user, state=one.name, seen=one.seen, role=room.role(one.user))
            for one in states
        )
        self._answer(session, answers.People(room=name, people=people, ref=request.ref))

    async def _described(self, room: Room, user: str, member: bool, read: int) -> Known:
        facts = Known(room=room.name, topic=room.topic, private=room.private, member=member)
        if not member:
            return facts
        new = [answers.read(text) for _, text in await self.log.after(room.name, read, UNREAD)]
        said = [event for event in new if isinstance(event, answers.Message) and event.user != user]
        mentioned = sum(user in event.mentions for event in said)
        peer = peer_in(room.name, user) if is_dm(room.name) else None
        return msgspec.structs.replace(facts, read=read, unread=len(said), mentions=mentioned, peer=peer)

    async def _open(self, session: Session, notice: Notice) -> None:
        """A private message for somebody who has not opened that conversation: open it."""
        if notice.why == "message" and notice.room not in session.rooms and not session.over:
            try:
                await self._join(session, Join(room=notice.room, after=max(0, (notice.id or 0) - 1)))
            except ChatError as error:
                log.info("a conversation was not opened", user=session.user, error=str(error))

    def notify(self, user: str, notice: Notice) -> None:
        """Tell all devices of a user, on whichever replica."""
        self._begin(self._publish(_inbox(user), msgspec.json.encode(notice).decode()))

    def tell(self, message: Presence | Typing) -> None:
        """Tell a room something of a user that need not last."""
        kind, text = "p" if isinstance(message, Presence) else "t", msgspec.json.encode(message).decode()
        self._begin(self._publish(channel(message.room), f"{kind}{message.user}\n{text}"))

    async def _publish(self, channel: str, text: str) -> None:
        await self._redis.publish(channel, text)

    def _begin(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("something about rooms was not done", error=repr(error))

    def _answer(self, session: Session, answer: answers.Answer) -> None:
        self._hub().send(session.connection, frames.of(answer))


_NOTHING = Frame(b"")
_notice = msgspec.json.Decoder(Notice).decode


def _canonical(user: str, room: str) -> str:
    """The name of a room; `@ann` is the private conversation with ann."""
    if not room.startswith("@"):
        return room
    if not is_user_name(room[1:]) or room[1:] == user:
        raise Forbidden(f"{room!r} is nobody one could talk to in private")
    return dm_of(user, room[1:])


def _both(room: str) -> list[str]:
    return room.split("+")


def _inbox(user: str) -> str:
    return f"chat:inbox:{user}"
