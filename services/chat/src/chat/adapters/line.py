"""Questions to Redis and their answers, one exchange at a time."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as TookTooLong

from chat.adapters.wire import Command, ReplyError, Wire, dial

__all__ = ["Line", "ReplyError"]

SECONDS = 1.5


class Line:
    """Connects when it is asked something and is not connected."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._wire: Wire | None = None
        self._answers: list[Any] = []
        self._wanted = 0
        self._done: asyncio.Future[None] | None = None

    async def ask(self, *questions: Command) -> list[Any]:
        """The answers, a `ReplyError` where Redis refuses. Raises redis's ConnectionError and TimeoutError:
        then nobody knows what was done."""
        try:
            async with asyncio.timeout(SECONDS):
                wire = await self._connected()
                self._wanted, self._answers = len(questions), []
                self._done = asyncio.get_running_loop().create_future()
                wire.say(questions)
                await self._done
        except TimeoutError as error:
            await self.close()  # what would come now answers nothing
            raise TookTooLong(f"no answer within {SECONDS:g} s") from error
        except OSError as error:
            raise Lost(f"the connection was lost: {error}") from error
        return self._answers

    async def close(self) -> None:
        """It may be asked again."""
        wire, self._wire = self._wire, None
        if wire:
            await wire.end()

    async def _connected(self) -> Wire:
        if self._wire and self._wire.lost.done():
            await self.close()
        if not self._wire:
            self._wire = wire = await dial(self._redis, self._answered)
            wire.lost.add_done_callback(lambda lost: self._lost(wire, lost.result()))
        return self._wire

    def _answered(self, answer: Any) -> None:
        self._answers.append(answer)
        if self._done and not self._done.done() and len(self._answers) == self._wanted:
            self._done.set_result(None)

    def _lost(self, wire: Wire, error: OSError) -> None:
        if wire is self._wire and self._done and not self._done.done():
            self._done.set_exception(error)
