"""What cannot be done is put aside with its reason, and stops nobody."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from lab_kit.messages import Message
from lab_kit.streams import Reject, publish

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


def test_what_keeps_failing_is_buried_with_its_reason(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        attempts: list[str] = []

        async def handler(message: Message) -> None:
            attempts.append(message.id)
            raise RuntimeError("the disk is on fire")

        message = Message("job", {"n": 1})
        await publish(bench.redis, bench.stream, message)
        consumer = bench.consumer(handler, min_idle=0.05, max_deliveries=3)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().dead)
        [grave] = await bench.dead_letters()
        assert Message.decode(grave["message"]) == message
        assert (grave["deliveries"], grave["reason"]) == ("3", "not acknowledged after 3 deliveries")
        assert attempts == [message.id] * 3
        assert (consumer.stats().failed, await bench.pending()) == (3, 0)

    play(scenario)


def test_what_is_rejected_is_buried_at_once(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        async def handler(message: Message) -> None:
            raise Reject("no such host")

        await bench.publish_many(1)
        consumer = bench.consumer(handler, dead_letter="lab:graves")
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().dead)
        [(_, grave)] = await bench.redis.xrange("lab:graves")
        assert (grave["reason"], grave["deliveries"]) == ("no such host", "1")
        assert (consumer.stats().delivered, await bench.pending()) == (1, 0)

    play(scenario)


@pytest.mark.parametrize(
    "fields", [{"message": "{"}, {"message": b"\xff\xfe"}, {"message": '{"v":2}'}, {"something": "else"}]
)
def test_what_cannot_be_read_is_buried_and_the_next_handled(play: "Play", fields: dict[str, Any]) -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal()
        consumer = bench.consumer(journal)
        await bench.redis.xadd(bench.stream, fields)
        await bench.publish_many(1)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().acked)
        assert journal.seen == [0]
        [grave] = await bench.dead_letters()
        assert grave["reason"].startswith("not a message: ")
        assert fields.keys() <= grave.keys()

    play(scenario)


def test_a_poison_message_that_kills_its_process_is_buried_at_a_later_start(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.publish_many(1)
        for _ in range(2):
            journal = bench.journal(is_open=False)
            life = asyncio.create_task(bench.consumer(journal).run())
            await bench.until(lambda journal=journal: journal.inside)
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
        last = bench.consumer(bench.journal(), max_deliveries=2)
        async with bench.running(last):
            await bench.until(lambda: last.stats().dead)
        assert last.stats().acked == 0

    play(scenario)
