"""What is said: messages, edits, deletions, typing, what was read, older pages."""

import asyncio
import itertools
import uuid
from collections.abc import Callable

from chat.adapters.blobs import Blobs
from chat.adapters.log import Receipt, RoomLog, Unavailable, append
from chat.adapters.rooms import RoomStore
from chat.adapters.session import Session
from chat.adapters.visits import Visits
from chat.contract import ChatError, Hub
from chat.core import answers, events, frames
from chat.core.answers import Ack, File, Notice
from chat.core.limits import Meter, Rate
from chat.core.names import is_dm, mentions, peer_in
from chat.core.protocol import Delete, Edit, History, Message, Read, Say, Typing
from chat.core.rooms import Forbidden, Role, Room
from chat.metrics import WireMetrics

__all__ = ["Talk", "TooOften"]

TYPING = Rate(1 / 3.0, 1)  # passed on for each user and room
MOST_UNACKNOWLEDGED = 256


class TooOften(ChatError):
    """More than the rate allows; `str` says how long to wait."""

    code = "too_often"


class NotThere(ChatError):
    """No such message, or not any more."""

    code = "unknown"


class Talk:
    """`say` is the way that has to be fast: it asks nobody, and waits for nobody."""

    def __init__(
        self,
        hub: Callable[[], Hub],
        log: RoomLog,
        rooms: RoomStore,
        blobs: Blobs,
        refuse: Callable[[Session, ChatError, str | None], None],
        visits: Visits,
        metrics: WireMetrics,
        now: Callable[[], float],
        rate: Rate,
        room_rate: Rate,
    ) -> None:
        self._hub, self._log, self._rooms, self._blobs = hub, log, rooms, blobs
        self._refuse, self._visits, self._metrics, self._now = refuse, visits, metrics, now
        self._by_user, self._by_room, self._typing = Meter(rate), Meter(room_rate), Meter(TYPING)
        self._slow: dict[tuple[str, str], float] = {}
        self._unique, self._numbers = uuid.uuid4().hex, itertools.count()

    def at_once(self, session: Session, request: Message) -> bool:
        """Do what needs no waiting; whether that was it."""
        try:
            if isinstance(request, Say) and request.file is None:
                self._say(session, request, None)
            elif isinstance(request, Typing):
                self._type(session, request)
            else:
                return False
        except ChatError as error:
            self._refuse(session, error, request.ref)
        return True

    async def later(self, session: Session, request: Message) -> bool:
        """Do what needs Redis; whether that was it. Raises `ChatError`."""
        match request:
            case Say():
                self._say(session, request, await self._blobs.describe(request.file or ""))
            case Edit():
                await self._change(session, request, request.text)
            case Delete():
                await self._change(session, request, None)
            case Read():
                self._require(session, request.room)
                await self._rooms.mark_read(request.room, session.user, request.id)
            case History():
                await self._history(session, request)
            case _:
                return False
        return True

    def _say(self, session: Session, said: Say, file: File | None) -> None:
        arrived = asyncio.get_running_loop().time()
        room, now = self._require(session, said.room), self._now()
        room.require_voice(session.user, now, admin=session.admin)
        self._require_pace(session, room, arrived)
        if session.unanswered >= MOST_UNACKNOWLEDGED:
            raise TooOften(f"{MOST_UNACKNOWLEDGED} messages wait to be acknowledged: wait for those first")
        named = mentions(said.text) if "@" in said.text else ()
        key = said.nonce or self._own_nonce()
        event = events.message(
            said.room,
            session.user,
            said.nonce,
            now,
            said.text,
            mentions=named,
            file=file,
            born=arrived,
            key=key,
        )
        session.unanswered += 1
        self._metrics.asked()

        def done(result: Receipt | Unavailable) -> None:
            session.unanswered -= 1
            seconds = asyncio.get_running_loop().time() - arrived
            self._metrics.answered(seconds, well=isinstance(result, Receipt))
            if isinstance(result, Unavailable):
                return self._refuse(session, result, said.ref or said.nonce or None)
            acknowledged = frames.of(
                Ack(room=said.room, id=result.id, nonce=said.nonce or None, ref=said.ref)
            )
            self._hub().send(session.connection, acknowledged)
            if result.fresh:
                self._mention(session.user, said.room, result.id, list(named))
            return None

        self._log.offer(event, done)

    def _own_nonce(self) -> str:
        return f"{self._unique}-{next(self._numbers)}"

    def _require(self, session: Session, name: str) -> Room:
        """The room, if the client is in it. Raises `Forbidden`."""
        room = self._rooms.cached(name) if name in session.rooms else None
        if room is None:
            raise Forbidden(f"you are not in {name!r}: join it first")
        return room

    def _require_pace(self, session: Session, room: Room, arrived: float) -> None:
        if wait := self._by_user.wait(session.user, arrived):
            raise TooOften(f"you say too much at once: wait {wait:.1f} s")
        if wait := self._by_room.wait(room.name, arrived):
            raise TooOften(f"too much is said in {room.name} at once: wait {wait:.1f} s")
        if room.slow and room.role(session.user, admin=session.admin) is Role.MEMBER:
            key = (room.name, session.user)
            left = self._slow.get(key, 0.0) + room.slow - arrived
            if left > 0:
                raise TooOften(f"{room.name} is in slow mode: wait {left:.0f} s")
            self._slow = {one: at for one, at in self._slow.items() if at + 3600 > arrived} | {key: arrived}

    def _mention(self, user: str, room: str, id: int, named: list[str]) -> None:
        peer = peer_in(room, user) if is_dm(room) else None
        for name in {*named, *([peer] if peer else [])} - {user}:
            why = "message" if name == peer else "mention"
            self._visits.notify(name, Notice(room=room, id=id, who=user, why=why))

    def _type(self, session: Session, request: Typing) -> None:
        room = self._require(session, request.room)
        room.require_voice(session.user, self._now(), admin=session.admin)
        if not self._typing.wait(f"{room.name}/{session.user}", asyncio.get_running_loop().time()):
            self._visits.tell(answers.Typing(room=room.name, user=session.user))

    async def _change(self, session: Session, request: Edit | Delete, text: str | None) -> None:
        room, now = self._require(session, request.room), self._now()
        room.require_voice(session.user, now, admin=session.admin)
        found = await self._log.after(request.room, request.id - 1, 1)
        said = answers.read(found[0][1]) if found and found[0][0] == request.id else None
        if not isinstance(said, answers.Message):
            raise NotThere(f"there is no message {request.id} in {request.room}")
        mine = said.user == session.user
        may_delete = room.role(session.user, admin=session.admin).rank >= Role.MODERATOR.rank and text is None
        if not mine and not may_delete:
            raise Forbidden("that was said by somebody else")
        nonce, where = self._own_nonce(), (request.room, session.user)
        if text is None:
            event = events.deleted(*where, nonce, now, request.id)
        else:
            event = events.edited(*where, nonce, now, request.id, text)
        receipt = await append(self._log, event)
        self._hub().send(
            session.connection, frames.of(Ack(room=request.room, id=receipt.id, ref=request.ref))
        )

    async def _history(self, session: Session, request: History) -> None:
        self._require(session, request.room)
        page = await self._log.before(request.room, request.before, request.limit)
        items = tuple(event for _, text in page if (event := answers.read(text)))
        more = bool(page) and page[0][0] > 1 and len(page) == request.limit
        older = answers.History(room=request.room, items=items, more=more, ref=request.ref)
        self._hub().send(session.connection, frames.of(older))
