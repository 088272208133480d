"""Coming and going: joining with what was missed, leaving, and what is told to whom."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

from redis.asyncio import Redis

from chat.adapters.bulletin import Bulletin
from chat.adapters.commands import Commands
from chat.adapters.directory import Directory
from chat.adapters.feed import Feed, Followed
from chat.adapters.log import RoomLog, Unavailable, room_of
from chat.adapters.missed import Missed, Page
from chat.adapters.post import Post, inbox, reader_of, room_left
from chat.adapters.rooms import RoomStore
from chat.adapters.roster import Roster
from chat.adapters.session import Session
from chat.contract import ChatError, Close, Gone, Hub, Kind
from chat.core import answers, frames
from chat.core.answers import Change, Happened, Known, Left, Presence
from chat.core.limits import Meter, Rate, TooOften
from chat.core.names import peer_in
from chat.core.protocol import MAX_ROOMS, Away, Create, Join, Leave, Malformed, Message, People, Rooms
from chat.core.protocol import Command as Asked
from chat.core.rooms import Forbidden, Room, Verb, canonical

__all__ = ["Visits"]

BYTES = 48 * 1024  # sent in a row
FIRST = 50  # events for who comes for the first time
COMING = Rate(10.0, 2 * MAX_ROOMS)  # joins and leaves of one user, who may come back to all rooms at once
PAUSE = 0.5
ELSEWHERE = "leave"  # why one is not in a room any more that one left on another device


class Visits:
    """For the one loop. A client is in a room when it has everything up to the room's position, not before.

    What is in `session.rooms` is in `_here`, and follows the room once in the feed: `_enter` and `_exit` do all
    of it."""

    def __init__(
        self,
        hub: Callable[[], Hub],
        redis: Redis,
        rooms: RoomStore,
        roster: Roster,
        now: Callable[[], float],
    ) -> None:
        self._hub, self._rooms, self._roster, self._now = hub, rooms, roster, now
        self.log: RoomLog
        self.feed: Feed
        self._here: dict[str, set[Session]] = defaultdict(set)
        self._devices: dict[str, set[Session]] = defaultdict(set)
        self._expected = Counter[str]()
        self._pace = Meter(COMING)
        self._post = Post(redis)
        self.notify, self.tell = self._post.notify, self._post.tell
        self._directory = Directory(rooms, roster, now, lambda: self.log)
        self._commands = Commands(rooms, self._post, now, lambda: self.log)
        self._bulletin = Bulletin(lambda room, frame: self._hub().publish(room, frame))

    async def do(self, session: Session, request: Message) -> None:
        """Raises `ChatError`."""
        match request:
            case Join():
                await self._join(session, request)
            case Leave():
                self._answer(session, await self._leave(session, request))
            case Away():
                await self._roster.away(session.user, request.away)
            case Rooms():
                self._answer(session, await self._directory.rooms(session, request))
            case People():
                self._answer(session, await self._directory.people(session, request))
            case Create():
                wanted = Room(request.room, request.topic, request.private)
                made = await self._rooms.create(wanted, session.user)
                self._answer(session, answers.Created(room=made.name, ref=request.ref))
            case Asked():
                self._answer(session, await self._commands.do(session, request))

    async def expect(self, user: str) -> None:
        """Somebody is about to be here: listen to what is meant for them. Unless `came` follows in the same turn
        of the loop, nobody comes. Raises `Unavailable`."""
        self._expected[user] += 1
        try:
            await self.feed.listen(inbox(user))
        finally:
            asyncio.get_running_loop().call_soon(self._expect_no_more, user)

    def came(self, session: Session) -> None:
        self._devices[session.user].add(session)

    def gone(self, session: Session) -> None:
        """Forget a client that has ended, and what only it needed."""
        self._devices[session.user].discard(session)
        self._unlisten(session.user)
        for room in list(session.rooms):
            self._exit(session, room)

    async def rooms(self, session: Session) -> tuple[Known, ...]:
        """The first page of the rooms that a client can see."""
        return (await self._directory.rooms(session, Rooms())).rooms

    def noticed(self, event: Happened) -> None:
        """Something other than a message happened in a room. Who is thrown out is out when this returns, whether
        Redis is there or not."""
        if not isinstance(event, Change):
            return
        for session in list(self._here.get(event.room, ())):
            thrown_out = event.verb in (Verb.KICK, Verb.BAN) and event.user == session.user
            if thrown_out or event.verb == Verb.CLOSE:
                self._put_out(session, Left(room=event.room, why=event.verb, by=event.by))
        self._post.begin(self._renew(event.room))

    def told(self, where: str, text: str) -> None:
        """Presence and typing of a room, and what is meant for one user."""
        if reader := reader_of(where):
            return self._told_one(reader, text)
        user, _, message = text[1:].partition("\n")
        room, data = room_of(where), message.encode()
        if text[:1] == "p":
            return self._bulletin.tell(room, user, data)
        born = asyncio.get_running_loop().time()
        self._hub().publish(room, frames.frame(data, Kind.TYPING, f"typing/{room}/{user}", born))
        return None

    def _told_one(self, user: str, text: str) -> None:
        devices = self._devices.get(user, set())
        if room := room_left(text):
            there = [session for session in devices if room in session.rooms]
            return self._post.begin(self._follow_out(user, room, there))
        for session in devices:
            self._hub().send(session.connection, frames.frame(text.encode()))
        return None

    async def _follow_out(self, user: str, room: str, there: Sequence[Session]) -> None:
        """Who leaves a room on one device leaves it on all, unless they are back by now."""
        with suppress(Unavailable):
            if await self._rooms.has_member(room, user):
                return
        for session in there:
            self._put_out(session, Left(room=room, why=ELSEWHERE, by=user))

    def _put_out(self, session: Session, left: Left) -> None:
        if left.room in session.rooms:
            self._exit(session, left.room)
            self._answer(session, left)

    def began_anew(self, room: str) -> None:
        """The room's log was lost: who is here comes back, and is told where it is now."""
        for session in list(self._here.get(room, ())):
            session.connection.close(Close.RESTART, f"what was said in {room} was lost: come back now")

    async def _join(self, session: Session, request: Join) -> None:
        name = canonical(session.user, request.room)
        if name in session.rooms:
            raise Malformed(f"you are in {name} already")
        if len(session.rooms) >= MAX_ROOMS:
            raise Forbidden(f"you are in {MAX_ROOMS} rooms: leave one first")
        self._require_pace(session)
        await self._admit(session, name)
        followed = await self._enter(session, name)
        try:  # from here on the room is followed: what is known of it is refreshed at each change
            room = self._rooms.cached(name) or await self._fresh(name)
            self._require_entry(session, room)
            await self._be_member(session, name)
            await self._catch_up(session, followed, request, room)
        except ChatError:
            self._exit(session, name)
            raise

    async def _admit(self, session: Session, name: str) -> None:
        """Raise `UnknownRoom` or `Forbidden`, but not because what is remembered is old: who is invited may hear
        of it before this replica does."""
        try:
            self._require_entry(session, await self._rooms.get(name))
        except Forbidden:
            self._require_entry(session, await self._fresh(name))

    def _require_entry(self, session: Session, room: Room) -> None:
        room.require_entry(session.user, self._now(), admin=session.admin)

    def _require_pace(self, session: Session) -> None:
        if wait := self._pace.wait(session.user, asyncio.get_running_loop().time()):
            raise TooOften(f"you come and go too often: wait {wait:.1f} s")

    async def _be_member(self, session: Session, name: str) -> None:
        """Of a private conversation, the other one is when something is said."""
        if await self._rooms.enter(name, session.user):
            self.tell(Presence(room=name, user=session.user, state="online", at=self._now()))

    async def _leave(self, session: Session, request: Leave) -> Left:
        name = canonical(session.user, request.room)
        self._require_pace(session)
        self._exit(session, name)
        if await self._rooms.leave(name, session.user):
            self.tell(Presence(room=name, user=session.user, state="left", at=self._now()))
        self.notify(session.user, Left(room=name))
        return Left(room=name, ref=request.ref)

    async def _catch_up(self, session: Session, followed: Followed, request: Join, room: Room) -> None:
        """Send what is missing up to the position, then join without a pause between: so the next is the
        next."""
        last, cursor = followed.position, request.after
        if cursor is None or cursor > last:  # greater: of a log that was lost
            cursor = max(0, last - FIRST)
        role, peer = room.role(session.user, admin=session.admin), peer_in(room.name, session.user)
        self._answer(session, answers.Joined(room=room.name, topic=room.topic, private=room.private, role=role,
                                             last=last, after=cursor, peer=peer, ref=request.ref))  # fmt: skip
        missed = Missed(self.log, followed, cursor)
        while missed.more and room.name in session.rooms:
            missed.cursor = await self._send_page(session, await missed.page())
        if room.name not in session.rooms:  # closed or thrown out meanwhile
            return
        self._hub().join(session.connection, room.name)
        session.settled.add(room.name)
        self._answer(session, answers.CaughtUp(room=room.name, last=followed.position,
                                               kept_from=missed.kept_from, ref=request.ref))  # fmt: skip

    async def _send_page(self, session: Session, page: Page) -> int:
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

    async def _enter(self, session: Session, room: str) -> Followed:
        """Raises `Unavailable`; `Gone` if the client has gone meanwhile."""
        followed = await self.feed.follow(room)
        if session.over:
            self._unfollow(room)
            raise Gone("closed while joining")
        self._here[room].add(session)
        session.rooms.add(room)
        return followed

    def _exit(self, session: Session, room: str) -> None:
        """Nothing, if it is not in the room."""
        if room not in session.rooms:
            return
        self._hub().leave(session.connection, room)
        session.rooms.discard(room)
        session.settled.discard(room)
        self._here[room].discard(session)
        if not self._here[room]:
            del self._here[room]
        self._unfollow(room)

    def _unfollow(self, room: str) -> None:
        self.feed.forget(room)
        if not self.feed.followed(room):
            self._rooms.forget(room)

    async def _fresh(self, room: str) -> Room:
        """As it is now; remembered only while somebody here follows it. Raises `UnknownRoom`, `Unavailable`."""
        try:
            return await self._rooms.refresh(room)
        finally:
            if not self.feed.followed(room):
                self._rooms.forget(room)

    async def _renew(self, room: str) -> None:
        """Know of a change, however long Redis is away."""
        while self.feed.followed(room):
            try:
                await self._fresh(room)
                return
            except Unavailable:
                await asyncio.sleep(PAUSE)

    def _expect_no_more(self, user: str) -> None:
        self._expected -= Counter([user])
        self._unlisten(user)

    def _unlisten(self, user: str) -> None:
        """If nobody is here, or about to be, who would hear it."""
        if not self._devices.get(user):
            self._devices.pop(user, None)
            if not self._expected[user]:
                self.feed.unlisten(inbox(user))

    def _answer(self, session: Session, answer: answers.Answer) -> None:
        self._hub().send(session.connection, frames.of(answer))
