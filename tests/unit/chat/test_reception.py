"""Requests of one client are done one after the other, whenever they come; who asks for too much is let go."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chat.adapters.log import Unavailable
from chat.adapters.reception import MOST_FAULTS, MOST_REFUSALS, PARTING_SECONDS, Reception
from chat.adapters.session import Session
from chat.contract import Batch, Close, Limits
from chat.core.limits import TooOften
from chat.core.protocol import Hello, Message
from chat.core.refs import ref_in
from chat.metrics import WireMetrics
from lab.grader.virtual import virtual_loop
from lab_kit.metrics import Metrics


class Desk:
    """Stands for all that the reception needs: does each request at once, and remembers it."""

    def __init__(self) -> None:
        self.done: list[str | None] = []
        self.free: asyncio.Event | None = None
        self.gone: Callable[[Session], None]

    def at_once(self, session: Session, request: Message) -> bool:
        return False

    async def later(self, session: Session, request: Message) -> bool:
        if self.free:
            await self.free.wait()
        self.done.append(request.ref)
        return True


class Line:
    """A connection that remembers how it was ended, and how much was written to it."""

    session: Session

    def __init__(self) -> None:
        self.codes: list[int] = []
        self.written = 0

    async def drain(self) -> None: ...

    def write(self, batch: Batch) -> None:
        self.written += batch.frames

    def close(self, code: int, reason: str) -> None:
        self.codes.append(code)


def reception_of(line: Line, user: str, desk: Desk | None = None) -> tuple[Reception, Any]:
    """A reception with this connection; it counts what is refused, and nothing else happens."""
    metrics: Any = WireMetrics(Metrics("chat"), lambda: "reference")
    anything: Any = desk or Desk()
    connection: Any = line
    line.session = Session(connection, user=user)
    reception = Reception(anything, anything, anything, anything, metrics, Limits(), "here")
    return reception, connection


def test_a_request_that_comes_as_the_worker_ends_is_done() -> None:
    desk, line = Desk(), Line()
    anything: Any = desk
    reception = Reception(anything, anything, anything, anything, anything, Limits(), "here")
    connection: Any = line
    line.session = Session(connection, user="ann")

    async def talk() -> None:
        reception.received(connection, b'{"type": "rooms", "ref": "first"}')
        worker = line.session.worker
        assert worker
        ended_in_this_turn = asyncio.get_running_loop().call_soon
        ended_in_this_turn(reception.received, connection, b'{"type": "rooms", "ref": "second"}')
        await worker
        while line.session.worker:
            await line.session.worker

    asyncio.run(talk())
    assert desk.done == ["first", "second"]


@pytest.mark.parametrize("thrown_out", [True, False])
def test_what_came_before_the_end_is_done_if_it_needs_no_client(thrown_out: bool) -> None:
    desk, line = Desk(), Line()
    reception, connection = reception_of(line, user="ann", desk=desk)
    ended = list[Session]()
    desk.gone = ended.append

    async def talk() -> None:
        for kind in ("history", "read"):
            text = f'{{"type": "{kind}", "room": "tea", "before": 1, "id": 1, "ref": "{kind}"}}'
            reception.received(connection, text.encode())
        worker = line.session.worker
        assert worker
        if thrown_out:
            reception._throw_out(line.session, "enough")
        reception.closed(connection)
        assert ended == []
        await worker

    asyncio.run(talk())
    assert desk.done == ([] if thrown_out else ["read"])
    assert ended == [line.session]


def test_what_takes_too_long_after_the_end_is_not_done() -> None:
    desk, line = Desk(), Line()
    reception, connection = reception_of(line, user="ann", desk=desk)
    desk.gone = lambda session: None

    async def talk() -> None:
        desk.free = asyncio.Event()
        for ref in ("first", "second"):
            reception.received(
                connection, f'{{"type": "read", "room": "a", "id": 1, "ref": "{ref}"}}'.encode()
            )
        worker = line.session.worker
        assert worker
        reception.closed(connection)
        await asyncio.sleep(PARTING_SECONDS + 1)
        desk.free.set()
        await worker

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(talk())
    assert desk.done == ["first"]


def test_mistakes_are_forgotten_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line()
    reception, connection = reception_of(line, user="")

    async def type_badly() -> None:
        now = 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        for _ in range(100):
            reception.received(connection, b"/me waves")
            now += 60 / MOST_FAULTS
        assert (line.codes, line.written) == ([], 100)
        for _ in range(MOST_FAULTS + 1):
            reception.received(connection, b"/me waves")
        assert Close.POLICY in line.codes

    asyncio.run(type_badly())


def test_who_does_not_heed_refusals_is_ended_but_not_for_what_redis_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = Line()
    reception, _ = reception_of(line, user="")

    async def insist() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 0.0)
        for _ in range(2 * MOST_REFUSALS):
            reception.refuse(line.session, Unavailable("Redis is away"), None)
        for _ in range(MOST_REFUSALS):
            reception.refuse(line.session, TooOften("wait"), None)
        assert (line.codes, line.written) == ([], 3 * MOST_REFUSALS)
        reception.refuse(line.session, TooOften("wait"), None)
        assert (line.codes, line.written) == ([Close.POLICY], 3 * MOST_REFUSALS)

    asyncio.run(insist())


def test_who_has_said_hello_may_come_back_if_signing_in_takes_too_long() -> None:
    late, silent = Line(), Line()
    for line in (late, silent):
        reception, _ = reception_of(line, user="")
        line.session.waiting.extend([Hello(token="x")] if line is late else [])
        reception._not_signed_in(line.session)
    assert (late.codes, silent.codes) == ([Close.TRY_AGAIN_LATER], [Close.POLICY])


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        (b'{"type": "say", "room": "tea", "ref": "r", "nonce": "n"}', "r"),
        (b'{"type": "say", "room": "tea", "text": "", "nonce": "n"}', "n"),
        (b'{"type": "join", "room": 7, "ref": "r"}', "r"),
        (b'{"type": "say", "ref": 7, "nonce": "n"}', "n"),
        (b'{"type": "say", "ref": "%s"}' % (b"r" * 65), None),
        (b'{"ref": "r"', None),
        (b"[" * 5000, None),
    ],
)
def test_what_is_malformed_is_named_as_far_as_it_can_be_read(text: bytes, ref: str | None) -> None:
    assert ref_in(text) == ref
