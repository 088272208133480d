"""Records over HTTP and from Redis: each is answered, or acknowledged, when it is durable."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial

import msgspec

from lab_kit.messages import Message
from lab_kit.streams import Reject
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.reader import Reader
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.contract import Batch, Receipt
from log_pipeline.core.sorting import NOT_JSON

PART = 256 * 1024  # bytes of a body that are records at once


class BadBody(ValueError):
    """A body that says it is JSON, and is not: nothing was accepted."""


class Desk:
    """For the event loop. What blocks is done by threads: `workers` for HTTP, as many for Redis.

    A request waits `patience` seconds for room; what comes from Redis waits for ever.
    """

    def __init__(self, intake: Intake, receipts: Receipts, workers: int, patience: float) -> None:
        self._intake, self._receipts, self._patience = intake, receipts, patience
        self._http, self._redis = ThreadPoolExecutor(workers, "http"), ThreadPoolExecutor(workers, "redis")

    async def accept(self, body: bytes, source: str) -> Receipt:
        """Take all lines of `body`; how they have ended, once all have. Raises `Busy`, `TooLarge`, `Closed`."""

        until = self._intake.clock.monotonic() + self._patience

        def submit(batches: Sequence[Batch]) -> None:
            self._intake.attempt(batches, until)

        return await self._through(self._http, body, source, submit)

    async def handle(self, message: Message) -> None:
        """One entry of the stream: a `log` with one record, or `logs` with many lines."""

        def submit(batches: Sequence[Batch]) -> None:
            for batch in batches:
                self._intake.submit(batch)

        body, source = _lines(message)
        await self._through(self._redis, body, source, submit)

    def close(self) -> None:
        for pool in (self._http, self._redis):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _through(
        self,
        pool: ThreadPoolExecutor,
        body: bytes,
        source: str,
        submit: Callable[[Sequence[Batch]], None],
    ) -> Receipt:
        ids = list[str]()
        try:
            take = partial(self._take, body, source, submit, ids)
            ends = await asyncio.get_running_loop().run_in_executor(pool, take)
            return _sum([one for end in ends for one in await asyncio.wrap_future(end)])
        finally:  # cancelled, or refused: nobody waits for these any more
            self._receipts.forget(ids)

    def _take(
        self, body: bytes, source: str, submit: Callable[[Sequence[Batch]], None], ids: list[str]
    ) -> list[Future[Sequence[Receipt]]]:
        """Submit `body` part by part, so that it is never all in memory as records; `ids` are of its batches."""
        ends = list[Future[Sequence[Receipt]]]()
        with closing(Reader(self._intake, source)) as reader:
            for batches in _parts(reader, body):
                ids += [batch.id for batch in batches]
                ends.append(self._receipts.expect(batch.id for batch in batches))
                submit(batches)
        return ends


def _parts(reader: Reader, body: bytes) -> Iterator[list[Batch]]:
    for start in range(0, len(body), PART):
        yield [replace(batch, replayable=True) for batch in reader.feed(body[start : start + PART])]
    yield [replace(batch, replayable=True) for batch in reader.end()]


def _lines(message: Message) -> tuple[bytes, str]:
    match message.type, message.body:
        case "log", {"record": dict(record)}:
            return msgspec.json.encode(record) + b"\n", f"redis:{record.get('service', 'unknown')!s:.64}"
        case "logs", {"lines": str(lines)}:
            return lines.encode(
                errors="backslashreplace"
            ), f"redis:{message.body.get('service', 'unknown')!s:.64}"
        case _:
            raise Reject(f"a message of type {message.type!r} with {sorted(message.body)} holds no record")


def _sum(receipts: Sequence[Receipt]) -> Receipt:
    written, dropped, dead = (
        sum(getattr(one, name) for one in receipts) for name in ("written", "dropped", "dead")
    )
    return Receipt("", written, dropped, dead)


def body_of(body: bytes, content_type: str) -> bytes:
    """Lines: of a JSON body each record of its array is one. Raises `BadBody`."""
    if content_type.partition(";")[0].strip() != "application/json":
        return body
    try:
        found = msgspec.json.decode(body)
    except NOT_JSON as error:
        raise BadBody(f"the body is no JSON: {error}. Lines are sent as text/plain") from error
    records = found if isinstance(found, list) else [found]
    return b"".join(msgspec.json.encode(record) + b"\n" for record in records)
