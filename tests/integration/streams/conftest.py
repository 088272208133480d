"""One stream and one group on a real server, and what the scenarios on them share."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from lab_kit.messages import Message
from lab_kit.streams import Consumer, Lag, connect, lag, publish


class Journal:
    """A handler that notes what it was given, then waits for its gate, which is open unless told."""

    def __init__(self, is_open: bool = True) -> None:
        self.seen: list[int] = []
        self.peak = self.inside = 0
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()

    async def __call__(self, message: Message) -> None:
        self.seen.append(message.body["n"])
        self.inside += 1
        self.peak = max(self.peak, self.inside)
        try:
            await self.gate.wait()
        finally:
            self.inside -= 1


class Bench:
    """What a scenario is given: the server, its one stream and group, and ways to watch them."""

    stream, group = "lab:test", "group"
    journal = Journal

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def consumer(
        self, handler: Callable[[Message], Awaitable[None]], name: str = "a", **settings: Any
    ) -> Consumer:
        return Consumer(self.redis, self.stream, self.group, handler, name=name, **settings)

    @asynccontextmanager
    async def running(self, *consumers: Consumer) -> AsyncIterator[None]:
        """Have them run; at the end they have a second to stop, and are awaited."""
        tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
        try:
            yield
        finally:
            await asyncio.gather(*(consumer.stop(1) for consumer in consumers))
            await asyncio.gather(*tasks)

    async def publish(self, number: int, **settings: int) -> str:
        """Put one message on the stream; the id of its entry."""
        return await publish(self.redis, self.stream, Message("job", {"n": number}), **settings)

    async def publish_many(self, count: int) -> list[int]:
        for number in range(count):
            await self.publish(number)
        return list(range(count))

    async def make_group(self, name: str = group) -> None:
        """Make the group now, as its first consumer would."""
        await self.redis.xgroup_create(self.stream, name, id="0", mkstream=True)

    async def deliver(self, consumer: str, group: str = group, count: int | None = None) -> list[str]:
        """Have what is new delivered to a consumer that does nothing with it; the ids."""
        delivered = await self.redis.xreadgroup(group, consumer, {self.stream: ">"}, count=count)
        return [entry for _, page in delivered for entry, _ in page]

    async def leave_with_ghost(self, idle: int) -> list[str]:
        """Deliver what is new to a consumer that is dead for `idle` milliseconds."""
        entries = await self.deliver("ghost")
        await self.redis.xclaim(self.stream, self.group, "ghost", 0, entries, idle=idle, justid=True)
        return entries

    async def lag(self) -> Lag:
        return await lag(self.redis, self.stream, self.group)

    async def pending(self) -> int:
        return (await self.lag()).pending

    async def calls(self, command: str) -> int:
        """How often the server was asked to do `command`."""
        return int((await self.redis.info("commandstats")).get(f"cmdstat_{command}", {}).get("calls", 0))

    async def dead_letters(self) -> list[dict[str, str]]:
        return [fields for _, fields in await self.redis.xrange(f"{self.stream}:dead")]

    async def until(self, probe: Callable[[], Any], at_least: int = 1) -> None:
        """Return when the number that `probe` gives is reached; the scenario's limit ends a wait in vain."""
        while True:
            value = probe()
            if (await value if isinstance(value, Awaitable) else value) >= at_least:
                return
            await asyncio.sleep(0.01)


type Scenario = Callable[[Bench], Awaitable[None]]
type Play = Callable[[Scenario], None]


async def _play(url: str, scenario: Scenario) -> None:
    async with connect(url) as redis, asyncio.timeout(30):
        await scenario(Bench(redis))
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing is left running


@pytest.fixture
def play(fresh_redis: str) -> Play:
    """Runs a scenario on the server of the session, emptied."""
    return lambda scenario: asyncio.run(_play(fresh_redis, scenario))


@pytest.fixture
def play_on() -> Callable[[str, Scenario], None]:
    """Runs a scenario on a server of the test's own."""
    return lambda url, scenario: asyncio.run(_play(url, scenario))
