"""Structured logs: JSON lines to stdout and to a Redis stream, which can never slow the service."""

import asyncio
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from weakref import ReferenceType, ref

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from lab_kit.messages import Message
from lab_kit.streams import SOCKET_TIMEOUT, StreamFull, connect, publish

BYTES, MESSAGES, PAUSE = 8 * 1024, 8_000, 0.5  # of a message, in the stream, seconds between attempts
log = structlog.get_logger(__name__)


class Sender:
    """Sends lines to a stream from a thread of its own, in `logs` messages of about `BYTES`, or of one line.

    `offer` neither waits nor raises, from any thread. What does not fit the queue, or cannot be sent since Redis
    is away or the stream holds `MESSAGES` that are not acknowledged, is dropped and counted; when the next ones
    get through, a line of the log says how many were lost. Without a URL nothing is sent, nor counted. A process
    that is forked sends its own lines, and none of its parent's. A fork waits until Redis was asked once.
    """

    def __init__(
        self, service: str, redis_url: str | None, stream: str = "lab:logs", *, capacity: int = 10_000,
        messages: int = MESSAGES,
    ) -> None:  # fmt: skip
        self._service, self._url, self._stream, self._messages = service, redis_url, stream, messages
        self._capacity = capacity
        self._begin()
        os.register_at_fork(before=partial(_wait, ref(self)), after_in_child=partial(_begin_again, ref(self)))

    def _begin(self) -> None:
        self.sent = self.dropped = self._told = 0
        self._lines = queue.Queue[str](self._capacity)
        self._closed, self._asked = threading.Event(), threading.Event()
        self._counting = threading.Lock()  # guards `dropped`; `sent` and `_told` belong to the thread
        self._thread = threading.Thread(target=self._run, name="log-sender", daemon=True)
        if self._url:
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
        with asyncio.Runner() as loop:
            redis = connect(str(self._url))
            with suppress(RedisError):
                loop.get_loop().run_until_complete(redis.ping())
            self._asked.set()
            while (lines := list(self._batch())) or not self._closed.is_set():
                if lines:
                    loop.run(self._send(redis, lines))
            loop.run(redis.aclose())

    def _batch(self) -> Iterator[str]:
        with suppress(queue.Empty):
            size, timeout = 0, 0.2
            while size < BYTES:
                line = self._lines.get(timeout=timeout)
                yield line
                size, timeout = size + len(line), 0.0

    async def _send(self, redis: Redis, lines: list[str]) -> None:
        packed = Message("logs", {"service": self._service, "lines": "\n".join([*lines, ""])})
        try:
            await publish(redis, self._stream, packed, self._messages)
        except (RedisError, StreamFull):
            self._drop(len(lines))
            self._closed.wait(PAUSE)
        else:
            self.sent += len(lines)
            self._tell()

    def _drop(self, count: int) -> None:
        with self._counting:
            self.dropped += count

    def _tell(self) -> None:
        """Say what was lost since the last time, now that it can be heard."""
        lost, self._told = self.dropped - self._told, self.dropped
        if lost:
            log.warning("lines of the log were lost on their way to redis", lines=lost)


def _wait(sender: ReferenceType[Sender]) -> None:
    """Before a fork: what the sender's thread is about to import would stay half a module in the child."""
    if (here := sender()) and here._url:
        here._asked.wait(SOCKET_TIMEOUT)


def _begin_again(sender: ReferenceType[Sender]) -> None:
    """In a child: no thread survives a fork, and a lock may be held for ever by one that did not."""
    if (here := sender()) and not here._closed.is_set():
        here._begin()


def configure(
    service: str, level: str = "info", redis_url: str | None = None, stream: str = "lab:logs"
) -> Sender:
    """Make structlog and the standard library's logging write the same JSON lines; close the result at exit.

    A line has `ts` (ISO 8601, UTC), `level`, `service`, `logger`, `event`, what structlog's contextvars hold
    (`trace`) and the caller's own keys; if one of them has no JSON, only texts. With a `redis_url` each also
    goes to `stream`.
    """
    sender = Sender(service, redis_url, stream)
    to_json = structlog.processors.JSONRenderer()

    def render(logger: WrappedLogger, name: str, event: EventDict) -> str:
        try:
            line = str(to_json(logger, name, event))
        except Exception as error:  # a key that is no text, a circle, a `repr` that raises
            texts = {key: value for key, value in event.items() if isinstance(value, str)}
            line = str(to_json(logger, name, {**texts, "unwritable": str(error)}))
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
    processors: list[Processor] = [ProcessorFormatter.remove_processors_meta, render]
    handler.setFormatter(ProcessorFormatter(foreign_pre_chain=shared, processors=processors))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return sender
