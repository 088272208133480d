"""How a consumer ends, and what is left for its next start."""

import asyncio
from typing import TYPE_CHECKING

from lab_kit.messages import Message
from lab_kit.streams import Lag

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


def test_stop_lets_work_finish_and_leaves_the_rest_pending(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        quick, endless, done = asyncio.Event(), asyncio.Event(), []

        async def handler(message: Message) -> None:
            await (quick if message.body["n"] == 0 else endless).wait()
            await bench.redis.ping()  # still some way to go when stop begins to wait
            done.append(message.body["n"])

        await bench.publish_many(3)
        consumer = bench.consumer(handler, prefetch=2)
        task = asyncio.create_task(consumer.run())
        await bench.until(lambda: consumer.stats().in_flight, 2)
        stop = asyncio.create_task(consumer.stop(0.3))
        await asyncio.sleep(0)
        quick.set()
        await asyncio.gather(stop, task)
        assert done == [0]
        assert await bench.lag() == Lag(3, 1, 1)  # one done, one cut short, one never read

    play(scenario)


def test_stop_before_run_reads_nothing(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.publish_many(1)
        consumer = bench.consumer(bench.journal())
        await consumer.stop(1)
        await consumer.run()
        assert consumer.stats().delivered == 0

    play(scenario)


def test_a_cancelled_consumer_finds_its_work_again_at_its_next_start(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.publish_many(3)
        first = asyncio.create_task(bench.consumer(bench.journal(is_open=False), prefetch=3).run())
        await bench.until(bench.pending, 3)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        journal = bench.journal()
        second = bench.consumer(journal, min_idle=600)
        async with bench.running(second):
            await bench.until(lambda: second.stats().acked, 3)
        assert sorted(journal.seen) == [0, 1, 2]
        assert second.stats().reclaimed == 0

    play(scenario)
