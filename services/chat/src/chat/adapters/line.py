"""A line to Redis for what is asked with every message, at half of what the client library takes.

The library connects: address, TLS, user and database are its matter. Then the socket is ours: hiredis packs and
reads, and there is no pool, no task, and one exchange at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as TookTooLong

__all__ = ["Line", "ReplyError"]

SECONDS = 1.5
ReplyError = hiredis.ReplyError
pack: Any = hiredis.pack_command  # its stub wants a tuple of one
type Question = Sequence[str | int | float | bytes]


class Line:
    """Connects when it is asked something and is not connected."""

    def __init__(self, redis: Redis) -> None:
        self._pool: Any = redis.connection_pool
        self._wire: _Wire | None = None

    async def ask(self, *questions: Question) -> list[Any]:
        """The answers, a `ReplyError` where Redis refuses. Raises redis's ConnectionError and TimeoutError:
        then nobody knows what was done."""
        try:
            async with asyncio.timeout(SECONDS):
                wire = self._wire = self._wire or await self._connected()
                return await wire.exchange(questions)
        except TimeoutError as error:
            raise TookTooLong(f"no answer within {SECONDS:g} s") from error
        except OSError as error:
            raise Lost(f"the connection was lost: {error}") from error
        finally:
            if self._wire and self._wire.over:
                await self.close()

    async def close(self) -> None:
        """It may be asked again."""
        wire, self._wire = self._wire, None
        if wire:
            await wire.end()

    async def _connected(self) -> "_Wire":
        connection = self._pool.make_connection()
        await connection.connect()
        return _Wire(connection)


class _Wire(asyncio.Protocol):
    """One connection. It is `over` when it is lost, and when an exchange was given up: what would come then
    answers nothing."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._transport: asyncio.Transport = connection._writer.transport
        self._transport.set_protocol(self)
        self._reader = hiredis.Reader(encoding="utf-8", errors="backslashreplace")
        self._answers: list[Any] = []
        self._wanted = 0
        self._done: asyncio.Future[list[Any]] | None = None
        self._lost: Exception | None = None

    @property
    def over(self) -> bool:
        return self._lost is not None or self._done is not None

    async def exchange(self, questions: Sequence[Question]) -> list[Any]:
        """Raises OSError."""
        if self._lost:
            raise self._lost
        self._wanted, self._answers = len(questions), []
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(pack(tuple(question)) for question in questions))
        return await self._done

    async def end(self) -> None:
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not False:
            self._answers.append(answer)
        if self._done and len(self._answers) >= self._wanted:
            done, self._done = self._done, None
            if not done.done():
                done.set_result(self._answers)

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = error or ConnectionResetError("Redis ended it")
        if self._done and not self._done.done():
            self._done.set_exception(self._lost)
