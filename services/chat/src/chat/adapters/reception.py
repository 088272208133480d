"""What becomes of connections: sign-in, requests in order, abuse, and the end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from redis.exceptions import RedisError

from chat.adapters.connection import WebSocket
from chat.adapters.log import Unavailable
from chat.adapters.people import NotSignedIn, People
from chat.adapters.session import MOST_WAITING, Session
from chat.adapters.talk import Talk
from chat.adapters.visits import Visits
from chat.contract import ChatError, Close, Connection, Gone, Hub, Limits
from chat.core import frames, protocol
from chat.core.answers import Error, Welcome
from chat.core.limits import Meter, Rate
from chat.core.protocol import VERSION, Hello, Malformed, Message, decode
from chat.core.refs import ref_in, ref_of
from chat.metrics import WireMetrics

__all__ = ["Reception"]

SIGN_IN_SECONDS = 10.0
PARTING_SECONDS = 5.0  # for what somebody asked for who has gone
# Without a client, there is nothing to do.
FOR_A_CLIENT = (Hello, protocol.Join, protocol.History, protocol.People, protocol.Rooms)
MOST_FAULTS = 20  # a minute
MOST_REFUSALS = 240  # a minute: more than a client has to say that says all at once after an outage
log = structlog.get_logger(__name__)


class Reception:
    """The handler of all connections; `hub()` is the one of this moment."""

    def __init__(
        self,
        hub: Callable[[], Hub],
        people: People,
        talk: Talk,
        visits: Visits,
        metrics: WireMetrics,
        limits: Limits,
        replica: str,
    ) -> None:
        self._hub, self._people, self._talk, self._visits = hub, people, talk, visits
        self._metrics, self._limits, self._replica = metrics, limits, replica
        self.sessions: dict[Connection, Session] = {}
        self.unsigned: set[WebSocket] = set()
        self._faults, self._refusals = Meter(_a_minute(MOST_FAULTS)), Meter(_a_minute(MOST_REFUSALS))

    def opened(self, connection: WebSocket) -> None:
        loop = asyncio.get_running_loop()
        session = connection.session = Session(connection)
        self.unsigned.add(connection)
        session.deadline = loop.call_later(SIGN_IN_SECONDS, self._not_signed_in, session)

    def _not_signed_in(self, session: Session) -> None:
        if session.waiting:  # it has said hello, and Redis takes its time
            return session.connection.close(Close.TRY_AGAIN_LATER, "signing in takes too long: come back")
        return session.connection.close(Close.POLICY, f"say hello within {SIGN_IN_SECONDS:g} s")

    def heard(self, connection: WebSocket) -> None:
        self._hub().heard(connection)

    def writable(self, connection: WebSocket) -> None:
        self._hub().writable(connection)

    def closed(self, connection: WebSocket) -> None:
        session: Session = connection.session
        session.over = True
        self.unsigned.discard(connection)
        if session.deadline:
            session.deadline.cancel()
        if self.sessions.pop(connection, None):
            self._hub().disconnect(connection)
        if session.worker is None:
            return self._parted(session)
        loop = asyncio.get_running_loop()
        session.deadline = loop.call_later(PARTING_SECONDS, session.waiting.clear)
        return None

    def _parted(self, session: Session) -> None:
        """The client has gone, and what it asked for before has been done."""
        if session.deadline:
            session.deadline.cancel()
        if session.user:
            self._visits.gone(session)
        self._faults.forget(session)
        self._refusals.forget(session)

    def _throw_out(self, session: Session, why: str) -> None:
        """Do nothing more of what it asked for."""
        session.waiting.clear()
        session.connection.close(Close.POLICY, why)

    def received(self, connection: WebSocket, text: bytes) -> None:
        session: Session = connection.session
        try:
            request = decode(text)
        except Malformed as error:
            return self._fault(session, error, ref_in(text))
        if request is None:
            return None  # of a newer version, say
        if not (session.user or session.waiting or isinstance(request, Hello)):
            return self._fault(session, NotSignedIn("say hello first"), ref_of(request))
        if not session.waiting and self._talk.at_once(session, request):
            return None
        return self._later(session, request)

    def refuse(self, session: Session, error: ChatError, ref: str | None) -> None:
        """Answer that it was not done, and why. Who goes on and on all the same is not listened to any more; that
        Redis is away is nobody's fault."""
        self._metrics.refused(error.code)
        if not isinstance(error, Unavailable) and self._refusals.wait(session, _now()):
            return self._throw_out(session, f"more than {MOST_REFUSALS} refusals a minute")
        frame = frames.of(Error(code=error.code, detail=str(error), ref=ref))
        if session.user:
            return self._hub().send(session.connection, frame)
        with suppress(Gone):
            session.connection.write(frames.batch([frame]))
        return None

    def _fault(self, session: Session, error: ChatError, ref: str | None) -> None:
        """Somebody who makes mistakes is told; who makes nothing else is not listened to any more."""
        if self._faults.wait(session, _now()):
            return self._throw_out(session, f"more than {MOST_FAULTS} mistakes a minute")
        return self.refuse(session, error, ref)

    def _later(self, session: Session, request: Message) -> None:
        session.waiting.append(request)
        if len(session.waiting) >= MOST_WAITING:
            session.connection.pause()
        if len(session.waiting) > 4 * MOST_WAITING:
            return self._throw_out(session, "too many requests wait for an answer")
        if session.worker is None:
            session.worker = asyncio.create_task(self._work(session))
            session.worker.add_done_callback(lambda task: self._ended(session, task))
        return None

    def _ended(self, session: Session, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            log.error("a request failed", exc_info=task.exception(), user=session.user)
            session.connection.close(1011, "an error of the service; its log has the details")

    async def _work(self, session: Session) -> None:
        try:
            await self._work_off(session)
        finally:
            session.worker = None  # here, not when the task is done: a request may come in between
            if session.over:
                self._parted(session)

    async def _work_off(self, session: Session) -> None:
        """One request after the other; also of a client that has gone, as far as they need no client."""
        while session.waiting:
            request = session.waiting[0]
            try:
                with suppress(Gone):
                    await session.connection.drain()  # so there is one answer at a time that may be large
                await self._do(session, request)
            except Gone:
                pass
            except RedisError as error:
                self._failed(session, request, Unavailable(f"Redis does not answer: {error}"))
            except ChatError as error:
                self._failed(session, request, error)
            if session.waiting:  # it may have been closed meanwhile
                session.waiting.popleft()
            if len(session.waiting) == MOST_WAITING // 2:
                session.connection.resume()

    def _failed(self, session: Session, request: Message, error: ChatError) -> None:
        """Say so; without a hello there is nothing to wait for, and whether to come back, the code says."""
        answer = self._fault if isinstance(error, Malformed) else self.refuse
        answer(session, error, ref_of(request))
        if isinstance(error, NotSignedIn):
            self._throw_out(session, str(error)[:100])
        elif isinstance(error, Unavailable) and isinstance(request, Hello):
            session.connection.close(Close.TRY_AGAIN_LATER, "nobody can sign in just now: come back")

    async def _do(self, session: Session, request: Message) -> None:
        if session.over and isinstance(request, FOR_A_CLIENT):
            raise Gone("closed before it could be answered")
        if isinstance(request, Hello):
            await self._welcome(session, request)
        elif not session.user:
            raise NotSignedIn("say hello first")
        elif not (self._talk.at_once(session, request) or await self._talk.later(session, request)):
            await self._visits.do(session, request)

    async def _welcome(self, session: Session, hello: Hello) -> None:
        if session.user:
            raise Malformed("you have said hello already")
        if hello.v > VERSION:
            raise Malformed(f"this service speaks version {VERSION}, not {hello.v}")
        user = await self._people.who(hello.token)
        await self._visits.expect(user.name)
        if session.over:
            raise Gone("closed while signing in")
        session.user, session.admin, session.connection.user = user.name, user.admin, user.name
        if session.deadline:
            session.deadline.cancel()
        self.unsigned.discard(session.connection)
        self.sessions[session.connection] = session
        self._hub().connect(session.connection)
        self._visits.came(session)
        rooms = await self._visits.rooms(session)
        welcome = Welcome(v=VERSION, user=user.name, admin=user.admin, replica=self._replica,
                          heartbeat=self._limits.heartbeat, rooms=tuple(rooms), ref=hello.ref)  # fmt: skip
        self._hub().send(session.connection, frames.of(welcome))


def _a_minute(most: int) -> Rate:
    return Rate(most / 60, most)


def _now() -> float:
    return asyncio.get_running_loop().time()
