"""The chat's own line to Redis: answers belong to their questions, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as TookTooLong

from chat.adapters import line as module
from chat.adapters.line import Line, ReplyError
from lab_kit.streams import connect


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    line = Line(connect(url))
    yield line
    await line.close()


def test_it_asks_several_things_at_once_and_a_refusal_is_an_answer(redis: Redis, replica: Any) -> None:
    async def ask() -> list[Any]:
        async with line_to(replica.server.url) as line:
            first = await line.ask(("SET", "line", "é"), ("GET", "line"), ("NONSENSE",))
            return [*first, *await line.ask(("INCRBY", "line:n", 3), ("MGET", "line", "nothing"))]

    *answers, refusal, count, found = asyncio.run(ask())
    assert answers == ["OK", "é"]
    assert isinstance(refusal, ReplyError)
    assert (count, found) == (3, ["é", None])


def test_what_comes_too_late_answers_nothing(
    redis: Redis, replica: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.1)

    async def ask() -> list[Any]:
        async with line_to(replica.server.url) as line:
            assert await line.ask(("PING",)) == ["PONG"]
            redis.client_pause(60_000, all=False)
            with pytest.raises(TookTooLong):
                await line.ask(("SET", "line", "too late"))
            redis.client_unpause()
            monkeypatch.setattr(module, "SECONDS", 10)
            return await line.ask(("ECHO", "in time"))

    assert asyncio.run(ask()) == ["in time"]


def test_it_is_there_again_when_redis_is(start_redis: Any) -> None:
    server = start_redis()

    async def ask() -> list[Any]:
        async with line_to(server.url) as line:
            await line.ask(("PING",))
            server.kill()
            for _ in range(2):
                with pytest.raises(Lost):
                    await line.ask(("PING",))
            server.start()
            return await line.ask(("PING",))

    assert asyncio.run(ask()) == ["PONG"]
