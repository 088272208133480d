"""What is said: messages, edits, deletions, typing, what was read, older pages."""

import asyncio
import itertools
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any

import structlog

from chat.adapters.blobs import Blobs
from chat.adapters.log import Entry, Receipt, Result, RoomLog, append
from chat.adapters.rooms import RoomStore
from chat.adapters.session import Session
from chat.adapters.visits import Visits
from chat.contract import ChatError, Hub
from chat.core import answers, events, frames
from chat.core.answers import Ack, File, Notice
from chat.core.limits import Meter, Pace, Rate, TooOften
from chat.core.names import is_dm, mentions, peer_in
from chat.core.protocol import Away, Command, Create, Delete, Edit, History, Message, Read, Say, Typing
from chat.core.refs import ref_of
from chat.core.rooms import Forbidden, Role, Room
from chat.metrics import WireMetrics

__all__ = ["Talk"]

TYPING = Rate(1 / 3.0, 1)  # passed on for each user and room
MOST_UNACKNOWLEDGED = 256
PAGE_BYTES = 64 * 1024  # of history in one answer: half of the least that `chat_queue` may be
log = structlog.get_logger(__name__)


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
        self._pace, self._typing = Pace(rate, room_rate), Meter(TYPING)
        self._errands = set[asyncio.Task[None]]()
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
            self._refuse(session, error, ref_of(request))
        return True

    async def later(self, session: Session, request: Message) -> bool:
        """Do what needs Redis; whether that was it. Raises `ChatError`."""
        self._require_pace(session, request)
        match request:
            case Say():
                await self._share(session, request)
            case Edit() | Delete():
                await self._change(session, request)
            case Read():
                self._require(session, request.room)
                await self._rooms.mark_read(request.room, session.user, request.id)
            case History():
                await self._history(session, request)
            case _:
                return False
        return True

    async def _share(self, session: Session, said: Say) -> None:
        """Say something that refers to a file: once, however often it is said."""
        file = await self._blobs.refer(said.file or "")
        try:
            self._say(session, said, file)
        except ChatError:
            await self._blobs.drop(file.id)
            raise

    def _say(self, session: Session, said: Say, file: File | None) -> None:
        arrived = asyncio.get_running_loop().time()
        room, now = self._require(session, said.room), self._now()
        room.require_voice(session.user, now, admin=session.admin)
        self._pace.happen(session.user, room.name, arrived)
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
            pause=_pause(room, session) if room.slow else 0,
        )
        session.unanswered += 1
        self._metrics.asked()

        def done(result: Result) -> None:
            session.unanswered -= 1
            seconds = asyncio.get_running_loop().time() - arrived
            self._metrics.answered(seconds, well=isinstance(result, Receipt))
            if not isinstance(result, Receipt):
                if file and isinstance(result, TooOften):
                    self._errand(self._blobs.drop(file.id))
                return self._refuse(session, result, ref_of(said))
            acknowledged = frames.of(
                Ack(room=said.room, id=result.id, nonce=said.nonce or None, ref=said.ref)
            )
            self._hub().send(session.connection, acknowledged)
            if result.fresh and (named or is_dm(said.room)):
                self._errand(self._notify(session.user, said.room, result.id, named))
            elif file and not result.fresh:
                self._errand(self._blobs.drop(file.id))
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

    def _require_pace(self, session: Session, request: Message) -> None:
        """Raise `TooOften` if it is; what only asks for something has to wait for its turn as it is. Who is not in
        a room uses up nothing of what may happen there."""
        now = asyncio.get_running_loop().time()
        match request:
            case Edit() | Delete() | Command() if request.room in session.rooms:
                self._pace.happen(session.user, request.room, now)
            case Create() | Away() | Command():
                self._pace.ask(session.user, type(request).__name__.lower(), now)
            case Read():
                self._pace.read(session.user, now)

    async def _notify(self, user: str, room: str, id: int, named: Sequence[str]) -> None:
        """Tell whom it is for, who is in a private conversation again that it left, and who is mentioned and may
        be there."""
        if peer := peer_in(room, user) if is_dm(room) else None:
            await self._rooms.enter(room, peer)
            return self._visits.notify(peer, Notice(room=room, id=id, who=user, why="message"))
        there, now = await self._rooms.get(room), self._now()
        for name in named:
            if name != user and _admits(there, name, now):
                self._visits.notify(name, Notice(room=room, id=id, who=user, why="mention"))
        return None

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("what follows from a message was not done", error=repr(error))

    def _type(self, session: Session, request: Typing) -> None:
        room = self._require(session, request.room)
        room.require_voice(session.user, self._now(), admin=session.admin)
        if not self._typing.wait(f"{room.name}/{session.user}", asyncio.get_running_loop().time()):
            self._visits.tell(answers.Typing(room=room.name, user=session.user))

    async def _change(self, session: Session, request: Edit | Delete) -> None:
        said, now, nonce = await self._require_said(session, request), self._now(), self._own_nonce()
        if isinstance(request, Edit):
            event = events.edited(request.room, session.user, nonce, now, request.id, request.text)
        else:
            event = events.deleted(request.room, session.user, nonce, now, request.id)
        receipt = await append(self._log, event)
        if not receipt.id:
            raise NotThere(f"message {request.id} in {request.room} has just been deleted")
        if isinstance(request, Delete):
            await self._bury(session, said)
        self._hub().send(
            session.connection, frames.of(Ack(room=request.room, id=receipt.id, ref=request.ref))
        )

    async def _bury(self, session: Session, said: answers.Message) -> None:
        """What follows from a deletion: the file goes, too, and what a moderator did is in the audit log."""
        if said.file:
            self._errand(self._blobs.drop(said.file.id))
        if said.user != session.user:
            await self._rooms.note(session.user, said.room, "delete", user=said.user, text=str(said.id))

    async def _require_said(self, session: Session, request: Edit | Delete) -> answers.Message:
        """The message, if the client may change it so. Raises `NotThere`, `Forbidden`."""
        room = self._require(session, request.room)
        room.require_voice(session.user, self._now(), admin=session.admin)
        found = await self._log.after(request.room, request.id - 1, 1)
        said = answers.read(found[0][1]) if found and found[0][0] == request.id else None
        if not isinstance(said, answers.Message):
            raise NotThere(f"there is no message {request.id} in {request.room}")
        moderates = room.role(session.user, admin=session.admin).rank >= Role.MODERATOR.rank
        if said.user != session.user and not (moderates and isinstance(request, Delete)):
            raise Forbidden("that was said by somebody else")
        return said

    async def _history(self, session: Session, request: History) -> None:
        """As many as fit into one answer, the newest of them; at least one."""
        self._require(session, request.room)
        page = await self._log.before(request.room, request.before, request.limit)
        fitting = _newest(page, PAGE_BYTES)
        items = tuple(event for _, text in fitting if (event := answers.read(text)))
        more = len(fitting) < len(page) or (len(page) == request.limit and page[0][0] > 1)
        older = answers.History(room=request.room, items=items, more=more, ref=request.ref)
        self._hub().send(session.connection, frames.of(older))


def _pause(room: Room, session: Session) -> int:
    """Milliseconds between two messages of this client; slow mode is for members."""
    member = room.role(session.user, admin=session.admin) is Role.MEMBER
    return round(1000 * room.slow) if member else 0


def _newest(page: Sequence[Entry], most: int) -> Sequence[Entry]:
    sizes = accumulate(len(text.encode()) for _, text in reversed(page))
    return page[-max(1, sum(size <= most for size in sizes)) :]


def _admits(room: Room, user: str, now: float) -> bool:
    with suppress(Forbidden):
        room.require_entry(user, now)
        return True
    return False
