"""The server dies, or says nothing."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from lab_kit.streams import connect

if TYPE_CHECKING:
    from tests.integration.streams.conftest import Bench, Play


def test_a_killed_server_costs_nothing_that_was_accepted(start_redis: Any, play_on: Any) -> None:
    server = start_redis()

    async def scenario(bench: "Bench") -> None:
        journal = bench.journal()
        consumer = bench.consumer(journal, prefetch=4, min_idle=0.3)

        async def publisher() -> None:
            for number in range(300):
                while True:
                    try:
                        await bench.publish(number)
                        break
                    except RedisError:
                        await asyncio.sleep(0.02)

        with structlog.testing.capture_logs() as logs:
            async with bench.running(consumer), asyncio.TaskGroup() as group:
                group.create_task(publisher())
                await bench.until(lambda: len(set(journal.seen)), 50)
                server.kill()
                await bench.until(lambda: sum("redis failed" in line["event"] for line in logs))
                await asyncio.to_thread(server.start)
                await bench.until(lambda: len(set(journal.seen)), 300)
                while await bench.pending():  # noqa: ASYNC110 - the event is in the server
                    await asyncio.sleep(0.01)
                await bench.until(lambda: sum("redis answers" in line["event"] for line in logs))
        assert set(journal.seen) == set(range(300))
        outage = [line["event"] for line in logs if line["event"].startswith("redis")]
        assert outage == ["redis failed, trying on", "redis answers again"]

    play_on(server.url, scenario)


def test_a_dead_server_is_an_error_and_not_a_wait(play: "Play") -> None:
    async def scenario(bench: "Bench") -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
            url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
            async with connect(url) as mute:
                with pytest.raises(TimeoutError):
                    await mute.ping()
        async with connect(url) as refused:
            with pytest.raises(ConnectionError):
                await refused.ping()

    play(scenario)
