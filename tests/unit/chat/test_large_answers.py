"""A client that reads gets what it asked for, however long it is; only what it does not take has to fit."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from chat.contract import Batch, Close, Connection, Frame, Gone, Limits, Ports
from chat.core import frames
from chat.core.answers import People as Answered
from chat.core.answers import Person, Rooms
from chat.engine import Hub

LIMITS = Limits(queue=1000, batch=100)


class Line(Connection):
    """Its network takes `room` bytes, and the write that goes beyond."""

    user = "ann"

    def __init__(self, room: int) -> None:
        self._room = room
        self.got: list[bytes] = []
        self.codes: list[int] = []

    @property
    def blocked(self) -> bool:
        return sum(map(len, self.got)) > self._room

    def write(self, batch: Batch) -> None:
        if self.codes:
            raise Gone("closed")
        self.got.append(batch.data)

    def ping(self) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self.codes.append(code)

    async def drain(self) -> None: ...


def sent(room: int, sizes: Sequence[int]) -> tuple[Line, int]:
    """The connection to which frames of these sizes were sent in one turn, and the bytes that wait then."""

    async def send() -> tuple[Line, int]:
        hub, line = Hub(Ports(), LIMITS), Line(room)
        await hub.start([])
        hub.connect(line)
        for number, size in enumerate(sizes):
            hub.send(line, Frame(bytes([number]) * size))
        await asyncio.sleep(0)
        waits = hub.stats().queued_bytes
        await hub.stop(0.0)
        return line, waits

    return asyncio.run(send())


@pytest.mark.parametrize("sizes", [[5000], [700, 700], [10, 5000, 10], [90] * 50])
def test_who_reads_gets_all_of_it_in_order(sizes: Sequence[int]) -> None:
    line, waits = sent(1_000_000, sizes)
    assert b"".join(line.got) == b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    assert (line.codes, waits) == ([], 0)


def test_what_the_network_does_not_take_has_to_fit() -> None:
    line, waits = sent(0, [5000, 600])
    assert (list(map(len, line.got)), line.codes, waits) == ([5000], [], 600)
    line, waits = sent(0, [5000, 1001])
    assert (list(map(len, line.got)), line.codes, waits) == ([5000], [Close.TRY_AGAIN_LATER], 0)
    line, waits = sent(0, [400, 400, 400, 400, 400, 400])
    assert (line.codes, waits) == ([Close.TRY_AGAIN_LATER], 0)


def test_what_a_client_may_refuse_for_its_size_is_an_error_with_its_ref() -> None:
    people = tuple(Person(user=f"user-{number}", state="offline", role="member") for number in range(30_000))
    frame = frames.of(Answered(room="r", people=people, ref="x"))
    error = json.loads(frame.data[frame.data.index(b"{") :])
    assert (error["type"], error["code"], error["ref"]) == ("error", "too_large", "x")
    assert b'"type":"rooms"' in frames.of(Rooms(rooms=(), ref="x")).data
