"""A connection to Redis for what every message needs, at half of what the client library takes.

The library connects: address, TLS, user and database are its matter. Then the socket is ours: hiredis packs and
reads, and there is no pool and no task."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis

__all__ = ["Command", "ReplyError", "Wire", "dial"]

ReplyError = hiredis.ReplyError
pack: Any = hiredis.pack_command  # its stub wants a tuple of one
type Command = Sequence[str | int | float | bytes]


async def dial(redis: Redis, take: Callable[[Any], None]) -> "Wire":
    """A new connection, to where `redis` leads. Raises what it raises, and OSError."""
    pool: Any = redis.connection_pool
    connection = pool.make_connection()
    await connection.connect()
    return Wire(connection, take)


class Wire(asyncio.Protocol):
    """`take` is given each thing that Redis says, a `ReplyError` where it refuses. `lost` has an OSError as its
    result when the connection has ended."""

    def __init__(self, connection: Any, take: Callable[[Any], None]) -> None:
        self._connection, self._take = connection, take
        self._transport: asyncio.Transport = connection._writer.transport
        self._transport.set_protocol(self)
        self._reader = hiredis.Reader(encoding="utf-8", errors="backslashreplace")
        self.lost: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()

    def say(self, commands: Sequence[Command]) -> None:
        self._transport.write(b"".join([pack(tuple(command)) for command in commands]))

    async def end(self) -> None:
        self._transport.abort()
        await self._connection.disconnect(nowait=True)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (said := self._reader.gets()) is not False:
            self._take(said)

    def connection_lost(self, error: Exception | None) -> None:
        why = error if isinstance(error, OSError) else ConnectionResetError("Redis ended it")
        if not self.lost.done():
            self.lost.set_result(why)
