"""What a consumer is given: each message once, no more than it can hold, whatever it meets."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from lab_kit.messages import Message
from lab_kit.streams import Lag

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


def test_each_message_is_handled_once_and_acknowledged(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal()
        consumer = bench.consumer(journal, prefetch=8)
        expected = await bench.publish_many(100)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().acked, 100)
        assert sorted(journal.seen) == expected
        assert await bench.lag() == Lag(100, 0, 0)
        assert (consumer.stats().delivered, consumer.stats().in_flight) == (100, 0)

    play(scenario)


def test_log_lines_of_a_handler_carry_its_own_trace(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        bound: list[tuple[str, str]] = []

        async def handler(message: Message) -> None:
            await asyncio.sleep(0)  # let the others bind theirs
            bound.append((structlog.contextvars.get_contextvars()["trace"], message.trace))

        await bench.publish_many(10)
        async with bench.running(bench.consumer(handler, prefetch=10)):
            await bench.until(lambda: len(bound), 10)
        assert all(logged == own for logged, own in bound)
        assert len({own for _, own in bound}) == 10

    play(scenario)


def test_no_more_than_prefetch_is_in_hand(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal(is_open=False)
        consumer = bench.consumer(journal, prefetch=3)
        await bench.publish_many(10)
        async with bench.running(consumer):
            await bench.until(lambda: journal.inside, 3)
            assert await bench.pending() == 3  # the rest is left for other consumers
            journal.gate.set()
            await bench.until(lambda: consumer.stats().acked, 10)
        assert journal.peak == 3

    play(scenario)


def test_a_cancellation_inside_a_handler_is_a_failure_like_any_other(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        seen: list[int] = []

        async def handler(message: Message) -> None:
            seen.append(message.body["n"])
            if seen == [0]:
                raise asyncio.CancelledError

        await bench.publish_many(2)
        consumer = bench.consumer(handler, min_idle=0.1)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().acked, 2)
        assert sorted(seen) == [0, 0, 1]
        assert consumer.stats().failed == 1

    play(scenario)


def test_a_group_that_vanished_is_made_again(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal()
        consumer = bench.consumer(journal, block=0.05)
        async with bench.running(consumer):
            await bench.publish_many(1)
            await bench.until(lambda: consumer.stats().acked)
            await bench.redis.flushall()
            await bench.publish_many(2)
            await bench.until(lambda: consumer.stats().acked, 3)
        assert journal.seen == [0, 0, 1]

    play(scenario)


@pytest.mark.parametrize("wrong", [{"block": 2.0}, {"block": 0}, {"prefetch": 0}, {"min_idle": 0}])
def test_a_consumer_that_could_not_work_is_refused(play: "Play", wrong: dict[str, Any]) -> None:
    async def scenario(bench: "Bench") -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            bench.consumer(bench.journal(), **wrong)

    play(scenario)
