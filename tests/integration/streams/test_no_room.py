"""A service that is busy, or has no Redis for what it does, keeps its messages: that is no failure of theirs."""

from typing import TYPE_CHECKING, Any

from lab_kit.messages import Message
from lab_kit.streams import Later

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play

PATIENT: dict[str, Any] = {"min_idle": 0.1, "max_deliveries": 2, "block": 0.01}


def test_what_finds_no_room_is_handed_over_again_until_it_does(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        seen: list[int] = []

        async def handler(message: Message) -> None:
            seen.append(message.body["n"])
            if len(seen) < 10:
                raise Later("ten at a time")

        await bench.publish_many(2)
        consumer = bench.consumer(handler, **PATIENT)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().acked, 2)
        assert seen == [0] * 10 + [1]
        assert (consumer.stats().failed, await bench.dead_letters()) == (0, [])

    play(scenario)


def test_who_waits_for_room_keeps_the_lease(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        async def full(message: Message) -> None:
            raise Later("no room")

        await bench.publish_many(1)
        journal = bench.journal()
        one, other = bench.consumer(full, **PATIENT), bench.consumer(journal, name="b", **PATIENT)
        async with bench.running(one):
            await bench.until(bench.pending)
            async with bench.running(other):
                scans = await bench.calls("xautoclaim")
                await bench.until(lambda: bench.calls("xautoclaim"), scans + 20)
                assert journal.seen == []
                assert "no room" in str(one.stats().last_error)
        assert await bench.pending() == 1, "left for the next life"

    play(scenario)


def test_a_redis_that_is_full_is_not_the_fault_of_a_message(start_redis: Any, play_on: Any) -> None:
    async def scenario(bench: "Bench") -> None:
        tries: list[int] = []

        async def handler(message: Message) -> None:
            tries.append(message.body["n"])
            await bench.redis.config_set("maxmemory", 1 if len(tries) < 6 else 0)
            await bench.redis.set("done", 1)

        await bench.publish_many(1)
        consumer = bench.consumer(handler, **PATIENT)
        async with bench.running(consumer):
            await bench.until(lambda: consumer.stats().acked + consumer.stats().failed)
        assert (len(tries), consumer.stats().acked, consumer.stats().failed) == (6, 1, 0)

    play_on(start_redis().url, scenario)
