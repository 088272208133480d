"""Logs on their way to Redis: they arrive, and when they cannot, the service does not notice."""

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
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
def test_every_line_of_the_log_is_a_message(fresh_redis: str, capsys: pytest.CaptureFixture[str]) -> None:
    sender = configure("downloader", redis_url=fresh_redis)
    structlog.get_logger("engine").info("started", trace="t1", id="the envelope has an id of its own")
    logging.getLogger("uvicorn").warning("slow")
    sender.close()
    printed = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    received = messages(fresh_redis)
    assert [message.body["record"] for message in received] == printed
    assert [(message.type, message.trace) for message in received] == [("log", "t1"), ("log", "-")]
    assert (sender.sent, sender.dropped) == (2, 0)


def test_close_sends_what_is_queued_by_many_threads(fresh_redis: str) -> None:
    sender = Sender(fresh_redis)
    threads = [
        threading.Thread(target=lambda: [sender.offer(line(n=n)) for n in range(1000)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.close(timeout=10)
    assert (sender.sent, sender.dropped) == (4000, 0)
    with Redis.from_url(fresh_redis) as redis:
        assert redis.xlen(STREAM) == 4000


def test_what_is_not_json_is_dropped_alone(fresh_redis: str) -> None:
    sender = Sender(fresh_redis)
    for text in (line(n=1), line(n=float("nan")), "{", line(n=2)):
        sender.offer(text)
    sender.close()
    assert [message.body["record"]["n"] for message in messages(fresh_redis)] == [1, 2]
    assert (sender.sent, sender.dropped) == (2, 2)


def test_a_full_queue_drops_and_counts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sender = Sender(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", capacity=5)
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
    sender = Sender(server.url)
    sender.offer(line(n=1))
    until(lambda: sender.sent == 1)
    server.kill()
    sender.offer(line(n=2))
    until(lambda: sender.dropped == 1)
    server.start()
    sender.offer(line(n=3))
    until(lambda: sender.sent == 2)
    sender.close()
    assert [message.body["record"]["n"] for message in messages(server.url)] == [1, 3]
