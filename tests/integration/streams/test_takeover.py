"""What others leave unfinished is done, by whoever is alive, and what is only slow is left alone."""

import asyncio
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


DOOMED = """
import asyncio, sys
from lab_kit.streams import Consumer, connect
async def hang(message): await asyncio.Event().wait()
asyncio.run(Consumer(connect(sys.argv[1]), sys.argv[2], sys.argv[3], hang, name="doomed", prefetch=5).run())
"""


def test_what_a_killed_process_had_in_hand_is_done_by_another(play: "Play", redis_url: str) -> None:
    async def scenario(bench: "Bench") -> None:
        expected = await bench.publish_many(8)
        doomed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", DOOMED, redis_url, bench.stream, bench.group
        )
        await bench.until(bench.pending, 5)
        doomed.kill()
        await doomed.wait()
        journal = bench.journal()
        heir = bench.consumer(journal, name="heir", min_idle=0.1)
        async with bench.running(heir):
            await bench.until(lambda: heir.stats().acked, 8)
        assert sorted(journal.seen) == expected
        assert heir.stats().reclaimed == 5

    play(scenario)


def test_slow_work_is_not_taken_by_another(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal(is_open=False)
        pair = [bench.consumer(journal, name=name, prefetch=2, min_idle=0.3) for name in "ab"]
        await bench.publish_many(1)
        async with bench.running(*pair):
            await bench.until(lambda: journal.inside)
            scans = await bench.calls("xautoclaim")
            await bench.until(
                lambda: bench.calls("xautoclaim"), scans + 10
            )  # 5 each: longer than twice min_idle
            journal.gate.set()
            await bench.until(lambda: sum(consumer.stats().acked for consumer in pair))
        assert journal.seen == [0]
        assert sum(consumer.stats().reclaimed for consumer in pair) == 0

    play(scenario)


def test_a_message_whose_lease_ran_out_is_not_handled_twice_by_its_own_consumer(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        journal = bench.journal(is_open=False)
        consumer = bench.consumer(journal, prefetch=2, min_idle=0.3)
        await bench.publish_many(1)

        async def reclaimed_after_aging() -> int:
            rows = await bench.redis.xpending_range(bench.stream, bench.group, "-", "+", 1)
            await bench.redis.xclaim(
                bench.stream, bench.group, "a", 0, [rows[0]["message_id"]], idle=120_000, justid=True
            )
            return consumer.stats().reclaimed

        async with bench.running(consumer):
            await bench.until(lambda: journal.inside)
            await bench.until(reclaimed_after_aging)
            journal.gate.set()
            await bench.until(lambda: consumer.stats().acked)
        assert journal.seen == [0]

    play(scenario)


def test_reclaims_past_short_and_empty_pages(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.make_group()
        await bench.publish_many(40)
        await bench.leave_with_ghost(idle=0)  # alive: a scan at COUNT 1 looks at 10, so four pages are empty
        await bench.publish_many(35)
        await bench.leave_with_ghost(idle=120_000)
        journal = bench.journal()
        heir = bench.consumer(journal, name="heir", min_idle=60)
        async with bench.running(heir):
            await bench.until(lambda: heir.stats().acked, 35)
        assert sorted(journal.seen) == list(range(35))
        assert await bench.pending() == 40

    play(scenario)


def test_an_entry_deleted_while_pending_is_skipped(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        await bench.make_group()
        await bench.publish_many(3)
        entries = await bench.leave_with_ghost(idle=120_000)
        await bench.redis.xdel(bench.stream, entries[1])
        journal = bench.journal()
        heir = bench.consumer(journal, name="heir", min_idle=60, prefetch=5)
        with structlog.testing.capture_logs() as logs:
            async with bench.running(heir):
                await bench.until(lambda: heir.stats().acked, 2)
        assert sorted(journal.seen) == [0, 2]
        assert await bench.pending() == 0
        assert [line["entries"] for line in logs if "deleted" in line["event"]] == [[entries[1]]]

    play(scenario)
