"""What Redis publishes is heard again after it was away, and after it said nothing for too long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from redis import Redis

from chat.adapters import ear as module
from chat.adapters.ear import Ear
from lab_kit.streams import connect

type Heard = asyncio.Queue[tuple[str, str, Any]]


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[tuple[Ear, Heard]]:
    heard: Heard = asyncio.Queue()
    ear = Ear(connect(url), lambda *said: heard.put_nowait(said))
    running = asyncio.create_task(ear.run())
    async with asyncio.timeout(20):
        yield ear, heard
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def until(heard: Heard, kind: str, channel: str) -> Any:
    while True:
        found, where, what = await heard.get()
        if (found, where) == (kind, channel):
            return what


def publishing(server: Any, channel: str, text: str) -> int:
    with Redis.from_url(server.url) as redis:
        return int(redis.publish(channel, text))


def test_it_hears_what_it_listens_to_and_again_when_redis_is_back(start_redis: Any) -> None:
    server = start_redis()

    async def listen() -> list[Any]:
        async with listening(server.url) as (ear, heard):
            ear.listen("ear:one")
            ear.listen("ear:other")
            await until(heard, "subscribe", "ear:other")
            ear.unlisten("ear:other")
            await until(heard, "unsubscribe", "ear:other")
            assert publishing(server, "ear:other", "unheard") == 0
            publishing(server, "ear:one", "é")
            first = await until(heard, "message", "ear:one")
            server.kill()
            server.start()
            await until(heard, "subscribe", "ear:one")
            publishing(server, "ear:one", "again")
            return [first, await until(heard, "message", "ear:one")]

    assert asyncio.run(listen()) == ["é", "again"]


def test_a_redis_that_says_nothing_is_asked_anew(start_redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.1)
    server = start_redis()

    async def listen() -> None:
        async with listening(server.url) as (_, heard):
            await until(heard, "subscribe", module.EVERYBODY)
            with Redis.from_url(server.url) as redis:
                redis.client_pause(300, all=True)
            await until(heard, "subscribe", module.EVERYBODY)

    asyncio.run(listen())
