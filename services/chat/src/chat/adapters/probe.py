"""A client of its own that talks to itself once a second: what a message takes, seen from outside."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from chat.contract import ChatError
from chat.core.names import dm_of
from chat.metrics import WireMetrics

__all__ = ["Probe"]

NAME = "probe"
ROOM = dm_of(NAME, NAME)  # a conversation with oneself, which nobody else sees
PERIOD, PATIENCE, PAUSE = 1.0, 5.0, 2.0


class Probe:
    """Speaks in a room that is nobody else's, over a real socket, and measures until it hears itself."""

    def __init__(
        self, metrics: WireMetrics, url: Callable[[], str], token: Callable[[str], Awaitable[str]]
    ) -> None:
        self._metrics, self._url, self._token = metrics, url, token

    async def run(self) -> None:
        """Measure for ever. In trouble there are no measurements, which says enough."""
        while True:
            with suppress(WebSocketException, OSError, RedisError, ChatError):
                token = await self._token(NAME)
                async with connect(self._url(), compression=None, ping_interval=None) as socket:
                    await self._talk(socket, token)
            await asyncio.sleep(PAUSE)

    async def _talk(self, socket: ClientConnection, token: str) -> None:
        loop = asyncio.get_running_loop()
        await socket.send(json.dumps({"type": "hello", "token": token}))
        await socket.send(json.dumps({"type": "join", "room": ROOM}))
        await _until(socket, type="caught_up")
        while True:
            began, nonce = loop.time(), secrets.token_hex(8)
            await socket.send(json.dumps({"type": "say", "room": ROOM, "text": "probe", "nonce": nonce}))
            await _until(socket, type="message", nonce=nonce)  # other replicas have probes, too
            self._metrics.heard_itself(loop.time() - began)
            await asyncio.sleep(PERIOD)


async def _until(socket: ClientConnection, **facts: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while not facts.items() <= json.loads(await socket.recv()).items():
            pass
