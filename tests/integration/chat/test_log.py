"""The rooms' logs: what is deleted is erased with its edits, whoever does what at the same time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chat.adapters.log import Receipt, RedisLog, RoomLog, append
from chat.adapters.memory import MemoryLog
from chat.core import events
from lab_kit.streams import connect

type OpenLog = Callable[[], Any]
ROOM, ANN = "kept", "ann"


def nothing(*arguments: object) -> None: ...


@pytest.fixture(params=["redis", "memory"])
def open_log(request: pytest.FixtureRequest, start_redis: Any) -> OpenLog:
    """A function that opens a log which writes what it is offered."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[RoomLog]:
        if request.param == "memory":
            yield MemoryLog(nothing)
            return
        async with connect(start_redis().url) as client:
            log = RedisLog(client, "here", nothing, nothing)
            writing = asyncio.create_task(log.run())
            yield log
            writing.cancel()
            await asyncio.wait([writing])

    return opened


def test_a_deletion_erases_the_message_and_its_edits_and_nothing_else(open_log: OpenLog) -> None:
    async def work() -> tuple[list[int], int]:
        async with open_log() as log:
            for number in (1, 2):
                await append(log, events.message(ROOM, ANN, f"m{number}", 0.0, f'"target":{3 - number},'))
            for number, target in ((3, 1), (4, 2), (5, 1)):
                await append(log, events.edited(ROOM, ANN, f"e{number}", 0.0, target, "edited"))
            await append(log, events.deleted(ROOM, ANN, "d1", 0.0, 1))
            return [id for id, _ in await log.after(ROOM, 0, 100)], await log.last(ROOM)

    assert asyncio.run(work()) == ([2, 4, 6], 6)


def test_what_is_deleted_is_neither_edited_nor_deleted_again(open_log: OpenLog) -> None:
    """However late such a request gets there: another replica may have looked before."""

    async def work() -> tuple[list[Receipt], list[int]]:
        async with open_log() as log:
            await append(log, events.message(ROOM, ANN, "m", 0.0, "said"))
            receipts = [
                await append(log, events.deleted(ROOM, ANN, "d1", 0.0, 1)),
                await append(log, events.edited(ROOM, ANN, "e", 0.0, 1, "said after all")),
                await append(log, events.deleted(ROOM, ANN, "d2", 0.0, 1)),
                await append(log, events.message(ROOM, ANN, "next", 0.0, "the next has the next place")),
            ]
            return receipts, [id for id, _ in await log.after(ROOM, 0, 100)]

    nowhere = Receipt(0, fresh=False)
    receipts, left = asyncio.run(work())
    assert receipts == [Receipt(2, fresh=True), nowhere, nowhere, Receipt(3, fresh=True)]
    assert left == [2, 3]


def test_of_edits_only_those_are_remembered_that_may_be_erased(
    start_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.adapters.log.KEPT", 10)

    async def work() -> list[Any]:
        async with connect(start_redis().url) as client:
            log = RedisLog(client, "here", nothing, nothing)
            writing = asyncio.create_task(log.run())
            for number in range(1, 400, 2):
                await append(log, events.message(ROOM, ANN, f"m{number}", 0.0, "said"))
                await append(log, events.edited(ROOM, ANN, f"e{number}", 0.0, number, "edited"))
            writing.cancel()
            await asyncio.wait([writing])
            anything: Any = client
            return [await log.after(ROOM, 0, 1), await anything.zrange(f"chat:{{{ROOM}}}:edits", 0, 0)]

    [(first, _)], [oldest] = asyncio.run(work())
    assert first > 1
    assert int(oldest) > first
