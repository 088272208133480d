"""The consumer against a real server: at least once, whoever dies, and never past the bound."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from lab_kit.messages import Message
from lab_kit.streams import Consumer, Lag, Reject, StreamFull, connect, lag, publish

S, G = "lab:test", "group"
Scenario = Callable[[Redis], Awaitable[None]]


async def play_on(url: str, scenario: Scenario) -> None:
    async with connect(url) as redis, asyncio.timeout(30):
        await scenario(redis)
    assert asyncio.all_tasks() == {asyncio.current_task()}  # nothing is left running


@pytest.fixture
def play(fresh_redis: str) -> Callable[[Scenario], None]:
    return lambda scenario: asyncio.run(play_on(fresh_redis, scenario))


async def until(probe: Callable[[], Any], at_least: int = 1) -> None:
    """Return when the number that `probe` gives is reached; the scenario's limit ends a wait in vain."""
    while True:
        value = probe()
        if (await value if isinstance(value, Awaitable) else value) >= at_least:
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*consumers: Consumer) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]
    try:
        yield
    finally:
        await asyncio.gather(*(consumer.stop(1) for consumer in consumers))
        await asyncio.gather(*tasks)


async def publish_many(redis: Redis, count: int) -> list[int]:
    for number in range(count):
        await publish(redis, S, Message("job", {"n": number}))
    return list(range(count))


async def pending(redis: Redis) -> int:
    return (await lag(redis, S, G)).pending


async def calls(redis: Redis, command: str) -> int:
    """How often the server was asked to do `command`."""
    return int((await redis.info("commandstats")).get(f"cmdstat_{command}", {}).get("calls", 0))


async def dead_letters(redis: Redis) -> list[dict[str, str]]:
    return [fields for _, fields in await redis.xrange(f"{S}:dead")]


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


def test_each_message_is_handled_once_and_acknowledged(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal()
        consumer = Consumer(redis, S, G, journal, name="a", prefetch=8)
        expected = await publish_many(redis, 100)
        async with running(consumer):
            await until(lambda: consumer.stats().acked, 100)
        assert sorted(journal.seen) == expected
        assert await lag(redis, S, G) == Lag(100, 0, 0)
        assert (consumer.stats().delivered, consumer.stats().in_flight) == (100, 0)

    play(scenario)


def test_log_lines_of_a_handler_carry_its_own_trace(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        bound: list[tuple[str, str]] = []

        async def handler(message: Message) -> None:
            await asyncio.sleep(0)  # let the others bind theirs
            bound.append((structlog.contextvars.get_contextvars()["trace"], message.trace))

        await publish_many(redis, 10)
        async with running(Consumer(redis, S, G, handler, name="a", prefetch=10)):
            await until(lambda: len(bound), 10)
        assert all(logged == own for logged, own in bound)
        assert len({own for _, own in bound}) == 10

    play(scenario)


def test_no_more_than_prefetch_is_in_hand(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal(is_open=False)
        consumer = Consumer(redis, S, G, journal, name="a", prefetch=3)
        await publish_many(redis, 10)
        async with running(consumer):
            await until(lambda: journal.inside, 3)
            assert await pending(redis) == 3  # the rest is left for other consumers
            journal.gate.set()
            await until(lambda: consumer.stats().acked, 10)
        assert journal.peak == 3

    play(scenario)


DOOMED = """
import asyncio, sys
from lab_kit.streams import Consumer, connect
async def hang(message): await asyncio.Event().wait()
asyncio.run(Consumer(connect(sys.argv[1]), sys.argv[2], sys.argv[3], hang, name="doomed", prefetch=5).run())
"""


def test_what_a_killed_process_had_in_hand_is_done_by_another(play: Any, redis_url: str) -> None:
    async def scenario(redis: Redis) -> None:
        expected = await publish_many(redis, 8)
        doomed = await asyncio.create_subprocess_exec(sys.executable, "-c", DOOMED, redis_url, S, G)
        await until(lambda: pending(redis), 5)
        doomed.kill()
        await doomed.wait()
        journal = Journal()
        heir = Consumer(redis, S, G, journal, name="heir", min_idle=0.1)
        async with running(heir):
            await until(lambda: heir.stats().acked, 8)
        assert sorted(journal.seen) == expected
        assert heir.stats().reclaimed == 5

    play(scenario)


def test_slow_work_is_not_taken_by_another(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal(is_open=False)
        pair = [Consumer(redis, S, G, journal, name=name, prefetch=2, min_idle=0.3) for name in "ab"]
        await publish_many(redis, 1)
        async with running(*pair):
            await until(lambda: journal.inside)
            scans = await calls(redis, "xautoclaim")
            await until(lambda: calls(redis, "xautoclaim"), scans + 10)  # 5 each: longer than twice min_idle
            journal.gate.set()
            await until(lambda: sum(consumer.stats().acked for consumer in pair))
        assert journal.seen == [0]
        assert sum(consumer.stats().reclaimed for consumer in pair) == 0

    play(scenario)


def test_a_message_whose_lease_ran_out_is_not_handled_twice_by_its_own_consumer(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal(is_open=False)
        consumer = Consumer(redis, S, G, journal, name="a", prefetch=2, min_idle=0.3)
        await publish_many(redis, 1)

        async def reclaimed_after_aging() -> int:
            rows = await redis.xpending_range(S, G, "-", "+", 1)
            await redis.xclaim(S, G, "a", 0, [rows[0]["message_id"]], idle=120_000, justid=True)
            return consumer.stats().reclaimed

        async with running(consumer):
            await until(lambda: journal.inside)
            await until(reclaimed_after_aging)
            journal.gate.set()
            await until(lambda: consumer.stats().acked)
        assert journal.seen == [0]

    play(scenario)


async def leave_with_ghost(redis: Redis, idle: int) -> list[str]:
    """Deliver what is new to a consumer that is dead for `idle` milliseconds."""
    delivered = await redis.xreadgroup(G, "ghost", {S: ">"})
    entries = [entry for _, page in delivered for entry, _ in page]
    await redis.xclaim(S, G, "ghost", 0, entries, idle=idle, justid=True)
    return entries


def test_reclaims_past_short_and_empty_pages(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await redis.xgroup_create(S, G, id="0", mkstream=True)
        await publish_many(redis, 40)
        await leave_with_ghost(redis, idle=0)  # alive: a scan at COUNT 1 looks at 10, so four pages are empty
        await publish_many(redis, 35)
        await leave_with_ghost(redis, idle=120_000)
        journal = Journal()
        heir = Consumer(redis, S, G, journal, name="heir", min_idle=60)
        async with running(heir):
            await until(lambda: heir.stats().acked, 35)
        assert sorted(journal.seen) == list(range(35))
        assert await pending(redis) == 40

    play(scenario)


def test_an_entry_deleted_while_pending_is_skipped(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await redis.xgroup_create(S, G, id="0", mkstream=True)
        await publish_many(redis, 3)
        entries = await leave_with_ghost(redis, idle=120_000)
        await redis.xdel(S, entries[1])
        journal = Journal()
        heir = Consumer(redis, S, G, journal, name="heir", min_idle=60, prefetch=5)
        with structlog.testing.capture_logs() as logs:
            async with running(heir):
                await until(lambda: heir.stats().acked, 2)
        assert sorted(journal.seen) == [0, 2]
        assert await pending(redis) == 0
        assert [line["entries"] for line in logs if "deleted" in line["event"]] == [[entries[1]]]

    play(scenario)


def test_what_keeps_failing_is_buried_with_its_reason(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        attempts: list[str] = []

        async def handler(message: Message) -> None:
            attempts.append(message.id)
            raise RuntimeError("the disk is on fire")

        message = Message("job", {"n": 1})
        await publish(redis, S, message)
        consumer = Consumer(redis, S, G, handler, name="a", min_idle=0.05, max_deliveries=3)
        async with running(consumer):
            await until(lambda: consumer.stats().dead)
        [grave] = await dead_letters(redis)
        assert Message.decode(grave["message"]) == message
        assert (grave["deliveries"], grave["reason"]) == ("3", "not acknowledged after 3 deliveries")
        assert attempts == [message.id] * 3
        assert (consumer.stats().failed, await pending(redis)) == (3, 0)

    play(scenario)


def test_what_is_rejected_is_buried_at_once(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        async def handler(message: Message) -> None:
            raise Reject("no such host")

        await publish_many(redis, 1)
        consumer = Consumer(redis, S, G, handler, name="a", dead_letter="lab:graves")
        async with running(consumer):
            await until(lambda: consumer.stats().dead)
        [(_, grave)] = await redis.xrange("lab:graves")
        assert (grave["reason"], grave["deliveries"]) == ("no such host", "1")
        assert (consumer.stats().delivered, await pending(redis)) == (1, 0)

    play(scenario)


@pytest.mark.parametrize(
    "fields", [{"message": "{"}, {"message": b"\xff\xfe"}, {"message": '{"v":2}'}, {"something": "else"}]
)
def test_what_cannot_be_read_is_buried_and_the_next_handled(play: Any, fields: dict[str, Any]) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal()
        consumer = Consumer(redis, S, G, journal, name="a")
        await redis.xadd(S, fields)
        await publish_many(redis, 1)
        async with running(consumer):
            await until(lambda: consumer.stats().acked)
        assert journal.seen == [0]
        [grave] = await dead_letters(redis)
        assert grave["reason"].startswith("not a message: ")
        assert fields.keys() <= grave.keys()

    play(scenario)


def test_a_cancellation_inside_a_handler_is_a_failure_like_any_other(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        seen: list[int] = []

        async def handler(message: Message) -> None:
            seen.append(message.body["n"])
            if seen == [0]:
                raise asyncio.CancelledError

        await publish_many(redis, 2)
        consumer = Consumer(redis, S, G, handler, name="a", min_idle=0.1)
        async with running(consumer):
            await until(lambda: consumer.stats().acked, 2)
        assert sorted(seen) == [0, 0, 1]
        assert consumer.stats().failed == 1

    play(scenario)


def test_stop_lets_work_finish_and_leaves_the_rest_pending(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        quick, endless, done = asyncio.Event(), asyncio.Event(), []

        async def handler(message: Message) -> None:
            await (quick if message.body["n"] == 0 else endless).wait()
            await redis.ping()  # still some way to go when stop begins to wait
            done.append(message.body["n"])

        await publish_many(redis, 3)
        consumer = Consumer(redis, S, G, handler, name="a", prefetch=2)
        task = asyncio.create_task(consumer.run())
        await until(lambda: consumer.stats().in_flight, 2)
        stop = asyncio.create_task(consumer.stop(0.3))
        await asyncio.sleep(0)
        quick.set()
        await asyncio.gather(stop, task)
        assert done == [0]
        assert await lag(redis, S, G) == Lag(3, 1, 1)  # one done, one cut short, one never read

    play(scenario)


def test_stop_before_run_reads_nothing(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await publish_many(redis, 1)
        consumer = Consumer(redis, S, G, Journal(), name="a")
        await consumer.stop(1)
        await consumer.run()
        assert consumer.stats().delivered == 0

    play(scenario)


def test_a_cancelled_consumer_finds_its_work_again_at_its_next_start(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await publish_many(redis, 3)
        first = asyncio.create_task(Consumer(redis, S, G, Journal(is_open=False), name="a", prefetch=3).run())
        await until(lambda: pending(redis), 3)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert first.cancelled()
        journal = Journal()
        second = Consumer(redis, S, G, journal, name="a", min_idle=600)
        async with running(second):
            await until(lambda: second.stats().acked, 3)
        assert sorted(journal.seen) == [0, 1, 2]
        assert second.stats().reclaimed == 0

    play(scenario)


def test_a_poison_message_that_kills_its_process_is_buried_at_a_later_start(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await publish_many(redis, 1)
        for _ in range(2):
            journal = Journal(is_open=False)
            life = asyncio.create_task(Consumer(redis, S, G, journal, name="a").run())
            await until(lambda journal=journal: journal.inside)
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
        last = Consumer(redis, S, G, Journal(), name="a", max_deliveries=2)
        async with running(last):
            await until(lambda: last.stats().dead)
        assert last.stats().acked == 0

    play(scenario)


def test_a_group_that_vanished_is_made_again(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        journal = Journal()
        consumer = Consumer(redis, S, G, journal, name="a", block=0.05)
        async with running(consumer):
            await publish_many(redis, 1)
            await until(lambda: consumer.stats().acked)
            await redis.flushall()
            await publish_many(redis, 2)
            await until(lambda: consumer.stats().acked, 3)
        assert journal.seen == [0, 0, 1]

    play(scenario)


def test_a_killed_server_costs_nothing_that_was_accepted(start_redis: Any) -> None:
    server = start_redis()

    async def scenario(redis: Redis) -> None:
        journal = Journal()
        consumer = Consumer(redis, S, G, journal, name="a", prefetch=4, min_idle=0.3)

        async def publisher() -> None:
            for number in range(300):
                while True:
                    try:
                        await publish(redis, S, Message("job", {"n": number}))
                        break
                    except RedisError:
                        await asyncio.sleep(0.02)

        with structlog.testing.capture_logs() as logs:
            async with running(consumer), asyncio.TaskGroup() as group:
                group.create_task(publisher())
                await until(lambda: len(set(journal.seen)), 50)
                server.kill()
                await until(lambda: sum("redis failed" in line["event"] for line in logs))
                await asyncio.to_thread(server.start)
                await until(lambda: len(set(journal.seen)), 300)
                while await pending(redis):  # noqa: ASYNC110 - the event is in the server
                    await asyncio.sleep(0.01)
        assert set(journal.seen) == set(range(300))
        outage = [line["event"] for line in logs if line["event"].startswith("redis")]
        assert outage == ["redis failed, trying on", "redis answers again"]

    asyncio.run(play_on(server.url, scenario))


def test_publish_refuses_what_would_push_out_unfinished_work(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await redis.xgroup_create(S, G, id="0", mkstream=True)
        for number in range(5):
            await publish(redis, S, Message("job", {"n": number}), maxlen=5)
        with pytest.raises(StreamFull, match="lab:test holds 5 messages"):
            await publish(redis, S, Message("job", {"n": 5}), maxlen=5)
        await redis.xreadgroup(G, "a", {S: ">"})
        with pytest.raises(StreamFull):  # delivered, but pending
            await publish(redis, S, Message("job", {"n": 5}), maxlen=5)
        assert await redis.xlen(S) == 5

    play(scenario)


def test_publish_makes_room_of_what_every_group_has_done(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        for group in (G, "other"):
            await redis.xgroup_create(S, group, id="0", mkstream=True)
        entries = [await publish(redis, S, Message("job", {"n": n}), maxlen=5) for n in range(5)]
        await redis.xreadgroup(G, "a", {S: ">"})
        await redis.xack(S, G, *entries)
        with pytest.raises(StreamFull):
            await publish(redis, S, Message("job", {"n": 5}), maxlen=5)
        await redis.xreadgroup("other", "a", {S: ">"}, count=4)
        await redis.xack(S, "other", entries[0], entries[1], entries[3])
        last = await publish(redis, S, Message("job", {"n": 5}), maxlen=5)
        assert [entry for entry, _ in await redis.xrange(S)] == [*entries[2:], last]
        await redis.xreadgroup(G, "a", {S: ">"})
        await redis.xreadgroup("other", "a", {S: ">"})
        for group in (G, "other"):
            await redis.xack(S, group, *entries, last)
        only = await publish(redis, S, Message("job", {"n": 6}), maxlen=1)
        assert [entry for entry, _ in await redis.xrange(S)] == [only]

    play(scenario)


def test_a_stream_nobody_reads_keeps_the_newest(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        for number in range(25):
            await publish(redis, S, Message("job", {"n": number}), maxlen=10)
        kept = [Message.decode(fields["message"]).body["n"] for _, fields in await redis.xrange(S)]
        assert len(kept) <= 10
        assert kept == list(range(25))[-len(kept) :]

    play(scenario)


def test_many_publishers_together_respect_the_bound(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        await redis.xgroup_create(S, G, id="0", mkstream=True)
        tries = [publish(redis, S, Message("job", {"n": n}), maxlen=20) for n in range(60)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sum(isinstance(result, StreamFull) for result in results) == 40
        assert await redis.xlen(S) == 20

    play(scenario)


def test_lag_of_what_does_not_exist_yet(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        assert await lag(redis, S, G) == Lag(0, 0, 0)
        await publish_many(redis, 2)
        assert await lag(redis, S, G) == Lag(2, 2, 0)

    play(scenario)


def test_a_dead_server_is_an_error_and_not_a_wait(play: Any) -> None:
    async def scenario(redis: Redis) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            async with connect(url) as mute:
                with pytest.raises(TimeoutError):
                    await mute.ping()
        async with connect(url) as refused:
            with pytest.raises(ConnectionError):
                await refused.ping()

    play(scenario)


@pytest.mark.parametrize("wrong", [{"block": 2.0}, {"block": 0}, {"prefetch": 0}, {"min_idle": 0}])
def test_a_consumer_that_could_not_work_is_refused(play: Any, wrong: dict[str, Any]) -> None:
    async def scenario(redis: Redis) -> None:
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Consumer(redis, S, G, Journal(), name="a", **wrong)

    play(scenario)
