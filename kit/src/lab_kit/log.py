"""Structured logs: JSON lines to stdout and to a Redis stream, which can never slow the service."""

import json
import logging
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from lab_kit.messages import Message

BATCH, LENGTH, PAUSE = 500, 100_000, 1.0  # lines a round trip, entries kept, seconds between attempts


class Sender:
    """Sends lines to a stream from a thread of its own.

    `offer` neither waits nor raises, from any thread: what does not fit the queue, or cannot be sent since
    Redis is away, is dropped and counted. Without a URL nothing is sent, nor counted.
    """

    def __init__(self, redis_url: str | None, stream: str = "lab:logs", capacity: int = 10_000) -> None:
        self.sent = self.dropped = 0
        self._url, self._stream = redis_url, stream
        self._lines: queue.Queue[str] = queue.Queue(capacity)
        self._closed = threading.Event()
        self._counting = threading.Lock()  # guards `dropped`; `sent` belongs to the thread
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)
        if redis_url:
            self._thread.start()

    def offer(self, line: str) -> None:
        """Queue `line`, or count it as dropped."""
        if self._url:
            try:
                self._lines.put_nowait(line)
            except queue.Full:
                self._drop(1)

    def close(self, timeout: float = 2.0) -> None:
        """Send what is queued, for at most `timeout` seconds. Again is harmless."""
        self._closed.set()
        if self._url:
            self._thread.join(timeout)

    def _run(self) -> None:
        redis = Redis.from_url(
            str(self._url), socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        while (lines := list(self._batch())) or not self._closed.is_set():
            try:
                sent = self._send(redis, lines)
                self.sent += sent
                self._drop(len(lines) - sent)
            except RedisError:
                self._drop(len(lines))
                self._closed.wait(PAUSE)
        redis.close()

    def _batch(self) -> Iterator[str]:
        with suppress(queue.Empty):
            yield self._lines.get(timeout=0.2)
            for _ in range(BATCH - 1):
                yield self._lines.get_nowait()

    def _send(self, redis: Redis, lines: list[str]) -> int:
        pipe = redis.pipeline(transaction=False)
        for line in lines:
            with suppress(ValueError):  # NaN, say: not JSON, so not sent
                record = json.loads(line)
                message = Message("log", {"record": record}, str(record.get("trace") or "-"))
                pipe.xadd(self._stream, {"message": message.encode()}, maxlen=LENGTH)
        return len(pipe.execute())

    def _drop(self, count: int) -> None:
        with self._counting:
            self.dropped += count


def configure(
    service: str, level: str = "info", redis_url: str | None = None, stream: str = "lab:logs"
) -> Sender:
    """Make structlog and the standard library's logging write the same JSON lines; close the result at exit.

    A line has `ts` (ISO 8601, UTC), `level`, `service`, `logger`, `event`, what structlog's contextvars hold
    (`trace`) and the caller's own keys. With a `redis_url` each also goes to `stream`, as a `log` message.
    """
    sender = Sender(redis_url, stream)
    to_json = structlog.processors.JSONRenderer()

    def render(logger: WrappedLogger, name: str, event: EventDict) -> str:
        line = str(to_json(logger, name, event))
        sender.offer(line)
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        lambda _, __, event: {"service": service, **event},
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, render]
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return sender
