"""A client of its own that talks to itself once a second: what a message takes, seen from outside."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from chat.contract import ChatError
from chat.metrics import WireMetrics

__all__ = ["Probe"]

PERIOD, PATIENCE, PAUSE, NEWEST = 1.0, 5.0, 2.0, 2**53


class Probe:
    """Speaks in a room of its own, over a real socket, and measures until it hears itself."""

    def __init__(
        self, metrics: WireMetrics, url: Callable[[], str], sign_in: Callable[[], Awaitable[str]], room: str
    ) -> None:
        self._metrics, self._url, self._sign_in, self._room = metrics, url, sign_in, room

    async def run(self) -> None:
        """Measure for ever. In trouble there are no measurements, which says enough."""
        while True:
            with suppress(WebSocketException, OSError, RedisError, ChatError):
                token = await self._sign_in()
                async with connect(self._url(), compression=None, ping_interval=None) as socket:
                    await self._talk(socket, token)
            await asyncio.sleep(PAUSE)

    async def _talk(self, socket: ClientConnection, token: str) -> None:
        loop = asyncio.get_running_loop()
        await socket.send(json.dumps({"type": "hello", "token": token}))
        await socket.send(json.dumps({"type": "join", "room": self._room, "after": NEWEST}))
        await _until(socket, "caught_up")
        while True:
            began = loop.time()
            await socket.send(json.dumps({"type": "say", "room": self._room, "text": "probe"}))
            await _until(socket, "message")
            self._metrics.heard_itself(loop.time() - began)
            await asyncio.sleep(PERIOD)


async def _until(socket: ClientConnection, type: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while json.loads(await socket.recv())["type"] != type:
            pass
