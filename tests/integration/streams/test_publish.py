"""Publishing: bounded, and never at the cost of unfinished work."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from lab_kit.messages import Message
from lab_kit.streams import Lag, StreamFull

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


def test_publish_refuses_what_would_push_out_unfinished_work(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.make_group()
        for number in range(5):
            await bench.publish(number, maxlen=5)
        with pytest.raises(StreamFull, match="lab:test holds 5 messages"):
            await bench.publish(5, maxlen=5)
        await bench.deliver("a")
        with pytest.raises(StreamFull):  # delivered, but pending
            await bench.publish(5, maxlen=5)
        assert await bench.redis.xlen(bench.stream) == 5

    play(scenario)


def test_publish_makes_room_of_what_every_group_has_done(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        for group in (bench.group, "other"):
            await bench.make_group(group)
        entries = [await bench.publish(n, maxlen=5) for n in range(5)]
        await bench.deliver("a")
        await bench.redis.xack(bench.stream, bench.group, *entries)
        with pytest.raises(StreamFull):
            await bench.publish(5, maxlen=5)
        await bench.deliver("a", "other", count=4)
        await bench.redis.xack(bench.stream, "other", entries[0], entries[1], entries[3])
        last = await bench.publish(5, maxlen=5)
        assert [entry for entry, _ in await bench.redis.xrange(bench.stream)] == [*entries[2:], last]
        await bench.deliver("a")
        await bench.deliver("a", "other")
        for group in (bench.group, "other"):
            await bench.redis.xack(bench.stream, group, *entries, last)
        only = await bench.publish(6, maxlen=1)
        assert [entry for entry, _ in await bench.redis.xrange(bench.stream)] == [only]

    play(scenario)


def test_a_stream_nobody_reads_keeps_the_newest(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        for number in range(25):
            await bench.publish(number, maxlen=10)
        kept = [
            Message.decode(fields["message"]).body["n"]
            for _, fields in await bench.redis.xrange(bench.stream)
        ]
        assert len(kept) <= 10
        assert kept == list(range(25))[-len(kept) :]

    play(scenario)


def test_many_publishers_together_respect_the_bound(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.make_group()
        tries = [bench.publish(n, maxlen=20) for n in range(60)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(result, StreamFull) for result in results) == 40
        assert await bench.redis.xlen(bench.stream) == 20

    play(scenario)


def test_lag_of_what_does_not_exist_yet(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        assert await bench.lag() == Lag(0, 0, 0)
        await bench.publish_many(2)
        assert await bench.lag() == Lag(2, 2, 0)

    play(scenario)
