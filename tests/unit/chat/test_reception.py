"""Requests of one client are done one after the other, whenever they come."""

import asyncio
from typing import Any

from chat.adapters.reception import Reception
from chat.adapters.session import Session
from chat.contract import Limits
from chat.core.protocol import Message


class Desk:
    """Stands for all that the reception needs: does each request at once, and remembers it."""

    def __init__(self) -> None:
        self.done: list[str | None] = []

    def at_once(self, session: Session, request: Message) -> bool:
        return False

    async def later(self, session: Session, request: Message) -> bool:
        self.done.append(request.ref)
        return True


class Line:
    """A connection that nothing is written to."""

    session: Session


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
