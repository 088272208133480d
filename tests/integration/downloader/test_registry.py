"""The registry on a real server: of two changes of one record, neither is lost."""

import asyncio

from redis.asyncio import Redis

from downloader.adapters.registry import Record, Registry
from downloader.contract import Job, State

JOB = Job("http://a.lab.test/files/1/x", "x", None, 0, "x")
ENDED = Record(JOB, "name", "trace", 0.0, State.FAILED, finished=1.0)


def test_an_end_waits_for_its_turn_and_stands(fresh_redis: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(fresh_redis) as redis:
            registry = Registry(redis)
            await registry.accept([(JOB, "name", "trace")])
            async with registry.turn("x"):
                ending = asyncio.create_task(registry.finish(ENDED))
                await asyncio.sleep(0)
                await registry.mark("x", State.PAUSED)
                assert not ending.done()
            await ending
            assert registry.find("x").state is State.FAILED
            assert await Registry(redis).load() == [], "and so it is remembered"

    asyncio.run(scenario())


def test_what_begins_anew_and_cannot_is_what_it_was(fresh_redis: str) -> None:
    async def scenario() -> None:
        async with Redis.from_url(fresh_redis) as redis:
            registry = Registry(redis)
            await registry.accept([(JOB, "name", "trace")])
            await registry.finish(ENDED)
            try:
                async with registry.marked("x", State.QUEUED):
                    raise LookupError
            except LookupError:
                pass
            assert registry.find("x").state is State.FAILED
            assert await Registry(redis).load() == []

    asyncio.run(scenario())
