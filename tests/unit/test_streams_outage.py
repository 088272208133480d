"""An outage is one line in the log and its end another, in whatever order calls fail and are answered."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, OutOfMemoryError, TimeoutError

from lab.grader.virtual import virtual_loop
from lab_kit.messages import Message
from lab_kit.streams import Consumer

FAILED, AGAIN = "redis failed, trying on", "redis answers again"
GONE, LATE, NOTHING = ConnectionError("gone"), TimeoutError("late"), list[Any]()


def delivery(text: str) -> list[Any]:
    return [["stream", [("1-0", {"message": text})]]]


ONE = delivery(Message("job", {}).encode())


class Hand:
    """A Redis, for one consumer, whose answers a test gives by hand: to each command in the order it was asked."""

    def __init__(self, handler: Callable[[Message], Awaitable[None]], prefetch: int) -> None:
        self._asked: dict[str, asyncio.Queue[asyncio.Future[Any]]] = defaultdict(asyncio.Queue)
        redis = cast(Redis, self)
        self.consumer = Consumer(redis, "stream", "group", handler, name="a", prefetch=prefetch)

    async def xgroup_create(self, *_: Any, **__: Any) -> None:
        """The group is there."""

    def pipeline(self, **_: Any) -> Any:
        both = SimpleNamespace(execute=self.execute, xack=lambda *_: both, xadd=lambda *_, **__: both)
        return both

    def __getattr__(self, command: str) -> Callable[..., Awaitable[Any]]:
        def ask(*_: Any, **__: Any) -> Awaitable[Any]:
            answer = asyncio.get_running_loop().create_future()
            self._asked[command].put_nowait(answer)
            return answer

        return ask

    async def says(self, command: str, *answers: Any) -> None:
        """Wait until it is asked `command`, answer or fail it, and so on; then let the consumer hear it."""
        for answer in answers:
            asked = await self._asked[command].get()
            asked.set_exception(answer) if isinstance(answer, Exception) else asked.set_result(answer)
        for _ in range(5):
            await asyncio.sleep(0)


async def done(_: Message) -> None:
    """Handle it at once."""


def told(
    scenario: Callable[[Hand], Coroutine[Any, Any, None]],
    handler: Callable[[Message], Awaitable[None]] = done,
    prefetch: int = 2,
) -> list[str]:
    """What is logged about Redis while a consumer without a past runs, in virtual time."""

    async def play() -> None:
        hand = Hand(handler, prefetch)
        running = asyncio.create_task(hand.consumer.run())
        async with asyncio.timeout(1000):
            await hand.says("xreadgroup", NOTHING)
            await hand.says("xautoclaim", ("0-0", [], []))
            await scenario(hand)
        running.cancel()
        await asyncio.wait([running])

    with structlog.testing.capture_logs() as logs, asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(play())
    return [line["event"] for line in logs if line["event"].startswith("redis")]


def test_nothing_in_hand_is_not_an_answer() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", *[GONE] * 10, NOTHING)  # longer than it takes until leases are renewed

    assert told(scenario) == [FAILED, AGAIN]


def test_nothing_in_hand_any_more_is_not_an_answer() -> None:
    fail = asyncio.Event()

    async def handler(_: Message) -> None:
        await fail.wait()
        raise ValueError

    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", ONE)
        await redis.says("xclaim", GONE)
        fail.set()
        await asyncio.sleep(1)
        await redis.says("xreadgroup", GONE, NOTHING)
        await redis.says("xclaim", NOTHING)

    assert told(scenario, handler, prefetch=1) == [FAILED, AGAIN]


def test_an_answer_that_was_on_its_way_does_not_end_it() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", ONE, GONE)
        await redis.says("xack", 1)
        await redis.says("xreadgroup", GONE, NOTHING)

    assert told(scenario) == [FAILED, AGAIN]


def test_what_a_full_redis_still_does_does_not_end_it() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", delivery("no message"))
        for _ in range(3):
            await redis.says("execute", OutOfMemoryError("command not allowed"))
            await redis.says("xreadgroup", NOTHING)
        await redis.says("execute", NOTHING)

    assert told(scenario) == [FAILED, AGAIN]


def test_what_was_asked_before_its_end_may_fail_afterwards() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", ONE)
        await redis.says("xack", GONE, 1)
        await redis.says("xreadgroup", LATE, NOTHING)

    assert told(scenario) == [FAILED, AGAIN]


def test_who_is_cancelled_does_not_keep_it_from_ending() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", ONE, GONE)
        await redis.says("xack", GONE)
        stopping = asyncio.create_task(redis.consumer.stop(100))
        await redis.says("xack", 1)
        await stopping

    assert told(scenario) == [FAILED, AGAIN]


def test_a_second_outage_is_told() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", GONE, NOTHING, GONE, GONE, NOTHING)

    assert told(scenario) == [FAILED, AGAIN] * 2


def test_a_second_outage_is_told_to_who_was_late_in_the_first() -> None:
    async def scenario(redis: Hand) -> None:
        await redis.says("xreadgroup", ONE)
        await redis.says("xack", GONE, 1)
        await redis.says("xreadgroup", LATE, GONE, NOTHING)

    assert told(scenario) == [FAILED, AGAIN] * 2
