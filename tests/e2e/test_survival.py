"""Nothing that was accepted is lost, whoever dies."""

import signal
from collections.abc import Iterator

import pytest
from jobs import Downloads, submit
from stacks import Stack
from tests.aof import settle
from web import eventually


@pytest.fixture
def downloads(stack: Stack) -> Iterator[Downloads]:
    """Downloads, some of them half done."""
    stack.wait_ready("downloader")
    found = submit(stack)
    eventually(found.under_way)
    yield found
    found.delete()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_the_downloader_loses_nothing(stack: Stack, downloads: Downloads, number: signal.Signals) -> None:
    before = stack.started("downloader")
    stack.signal("downloader", number)
    eventually(lambda: stack.started("downloader") > before, 60)
    stack.wait_ready("downloader")
    assert downloads.wrong() == {}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_redis_keeps_the_queue(stack: Stack, downloads: Downloads, number: signal.Signals) -> None:
    stream = f"e2e:{number.name}"
    entries = [stack.redis.xadd(stream, {"number": str(n)}) for n in range(100)]
    run = stack.redis.info("server")["run_id"]
    if number is signal.SIGKILL:
        settle(stack.redis)
    stack.signal("redis", number)
    eventually(lambda: stack.ready("redis") and stack.redis.info("server")["run_id"] != run, 60)
    assert [entry for entry, _ in stack.redis.xrange(stream)] == entries
    stack.wait_ready("downloader")
    assert downloads.wrong() == {}
    stack.redis.delete(stream)
