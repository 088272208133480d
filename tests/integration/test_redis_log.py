"""Logs on their way to Redis: they arrive, and when they cannot, the service does not notice."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis import Redis

from lab_kit.log import Sender, configure
from lab_kit.messages import Message

STREAM = "lab:logs"


def until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.01)


def messages(url: str) -> list[Message]:
    with Redis.from_url(url) as redis:
        return [Message.decode(fields[b"message"]) for _, fields in redis.xrange(STREAM)]


def records(url: str) -> list[dict[str, Any]]:
    """What the messages hold, in order."""
    return [json.loads(text) for one in messages(url) for text in one.body["lines"].splitlines()]


FORKING = """
import logging, os, sys
from lab_kit.log import configure

sender = configure("parent", redis_url=sys.argv[1])
logging.getLogger().warning("before")
child = os.fork()
logging.getLogger().warning("after" if child else "in the child")
sender.close(20.0)
if child:
    os.waitpid(child, 0)
"""


def test_a_forked_process_sends_its_own_lines(fresh_redis: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING, fresh_redis]
    subprocess.run(command, check=True, timeout=30, capture_output=True)
    assert sorted(one["event"] for one in records(fresh_redis)) == ["after", "before", "in the child"]


HALF = """
import __main__ as main
main.importing.set()
main.forking.wait(20)
whole = True
"""
AMID_AN_IMPORT = """
import os, sys, threading
from lab_kit import log

forking, importing, connect = threading.Event(), threading.Event(), log.connect


def import_first(url):
    import half  # as the client does, somewhere below
    return connect(url)


log.connect = import_first
sender = log.Sender("parent", sys.argv[1])
os.register_at_fork(before=forking.set)  # the last that was registered is the first to be called
importing.wait(20)
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.exit(not hasattr(sys.modules["half"], "whole"))
"""


def test_a_fork_waits_for_what_the_sender_imports(fresh_redis: str, tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(HALF)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", AMID_AN_IMPORT, fresh_redis]
    subprocess.run(
        command, check=True, timeout=30, capture_output=True, env=os.environ | {"PYTHONPATH": str(tmp_path)}
    )


def line(**record: Any) -> str:
    return json.dumps({"service": "test", "event": "e"} | record)


@pytest.fixture
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("_restore")
def test_every_line_of_the_log_arrives(fresh_redis: str, capsys: pytest.CaptureFixture[str]) -> None:
    sender = configure("downloader", redis_url=fresh_redis)
    structlog.get_logger("engine").info("started", trace="t1", id="the envelope has an id of its own")
    logging.getLogger("uvicorn").warning("slow")
    sender.close()
    printed = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert records(fresh_redis) == printed
    assert {(one.type, one.body["service"]) for one in messages(fresh_redis)} == {("logs", "downloader")}
    assert (sender.sent, sender.dropped) == (2, 0)


def test_close_sends_what_is_queued_by_many_threads(fresh_redis: str) -> None:
    sender = Sender("test", fresh_redis)
    threads = [
        threading.Thread(target=lambda: [sender.offer(line(n=n)) for n in range(1000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close(timeout=10)
    assert (sender.sent, sender.dropped) == (4000, 0)
    assert len(records(fresh_redis)) == 4000
    assert len(messages(fresh_redis)) < 400  # packed


def test_a_long_line_is_a_message_of_its_own(fresh_redis: str) -> None:
    sender = Sender("test", fresh_redis)
    for size in (1, 100_000, 1):
        sender.offer(line(text="x" * size))
    sender.close()
    assert [len(record["text"]) for record in records(fresh_redis)] == [1, 100_000, 1]
    assert max(len(one.body["lines"]) for one in messages(fresh_redis)) < 110_000


@pytest.mark.usefixtures("_restore")
def test_what_no_group_has_acknowledged_is_never_trimmed_and_what_is_lost_is_said(
    fresh_redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    sender = Sender("test", fresh_redis, messages=3)
    with Redis.from_url(fresh_redis, decode_responses=True) as redis:
        redis.xgroup_create(STREAM, "readers", mkstream=True)
        for number in range(3):
            sender.offer(line(n=number))
            until(partial(lambda number: sender.sent == number + 1, number))
        [(_, pending)] = redis.xreadgroup("readers", "a", {STREAM: ">"}, count=2)
        sender.offer(line(n=3))
        until(lambda: sender.dropped == 1)
        assert [record["n"] for record in records(fresh_redis)] == [0, 1, 2]
        redis.xack(STREAM, "readers", pending[0][0])
        sender.offer(line(n=4))
        until(lambda: sender.sent == 4)
        sender.close()
    assert [record["n"] for record in records(fresh_redis)] == [1, 2, 4]
    assert "lost on their way to redis lines=1" in caplog.text


def test_a_full_queue_drops_and_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Sender("test", f"redis://127.0.0.1:{silent.getsockname()[1]}/0", capacity=5)
        sender.offer(line())
        connection, _ = silent.accept()
        with connection:
            connection.recv(1)  # from now on the thread waits for an answer
            for _ in range(20):
                sender.offer(line())
            assert sender.dropped >= 15
    sender.close(timeout=10)
    assert (sender.sent, sender.dropped) == (0, 21)


def test_a_server_that_went_away_is_used_again_when_it_is_back(start_redis: Any) -> None:
    server = start_redis()
    sender = Sender("test", server.url)
    sender.offer(line(n=1))
    until(lambda: sender.sent == 1)
    server.kill()
    sender.offer(line(n=2))
    until(lambda: sender.dropped == 1)
    server.start()
    sender.offer(line(n=3))
    until(lambda: sender.sent == 2)
    sender.close()
    assert [record["n"] for record in records(server.url)] == [1, 3]
