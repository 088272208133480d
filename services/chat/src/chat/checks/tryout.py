"""A learner's hub on real sockets, and no lab running: three people, one of whom does not read."""

import asyncio
import json
import traceback
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from chat.adapters.audiences import Audiences
from chat.adapters.connection import WebSocket
from chat.contract import Hub, Limits, Ports
from chat.core import frames
from chat.metrics import WireMetrics
from lab_kit.metrics import Metrics

ROOM, MESSAGES, SIZE = "tea", 4000, 4000
SECONDS = 20.0


class Table:
    """The smallest service there could be: the first text of a client is its name, and each is in one room."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.heard, self.writable, self.closed = hub.heard, hub.writable, hub.disconnect

    def opened(self, connection: WebSocket) -> None: ...

    def received(self, connection: WebSocket, text: bytes) -> None:
        connection.user = text.decode()
        self._hub.connect(connection)
        self._hub.join(connection, ROOM)
        self._hub.send(connection, frames.frame(b"welcome"))


def tryout(engine: type[Hub]) -> None:
    """Let two people talk while a third sleeps, and print what came of it."""
    try:
        asyncio.run(_run(engine))
    except RuntimeError as error:
        if error.args:
            raise
        *_, place = traceback.extract_tb(error.__traceback__)
        print(f"Not written yet: {place.name}, line {place.lineno}.")


async def _run(engine: type[Hub]) -> None:
    hub = engine(Ports(), Limits())
    await hub.start([])
    wire, loop = WireMetrics(Metrics("tryout"), lambda: "mine"), asyncio.get_running_loop()
    table, audiences = Table(hub), Audiences(wire)
    server = await loop.create_server(
        lambda: WebSocket(table, wire, audiences, lambda request: None, 8192), "127.0.0.1", 0
    )
    url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        async with asyncio.timeout(SECONDS):
            await _talk(hub, url)
    except TimeoutError:
        print(f"After {SECONDS:g} s not everybody had heard everything.")
    finally:
        server.close()
        await hub.stop(1.0)


async def _talk(hub: Hub, url: str) -> None:
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"compression": None, "max_queue": 1, "ping_interval": None}
    async with (
        connect(url, **options) as ann,
        connect(url, **options) as bob,
        connect(url, **options) as asleep,
    ):
        for socket, name in ((ann, "ann"), (bob, "bob"), (asleep, "asleep")):
            await socket.send(name)
            await socket.recv()
        asleep.transport.pause_reading()
        began = loop.time()
        heard = [asyncio.create_task(_hear(socket)) for socket in (ann, bob)]
        for number in range(MESSAGES):
            hub.publish(ROOM, frames.frame(json.dumps({"id": number, "text": "x" * SIZE}).encode()))
            if number % 10 == 0:
                await asyncio.sleep(0)
        counts = await asyncio.gather(*heard)
        seconds, stats = loop.time() - began, hub.stats()
    print(f"ann heard {counts[0]}, bob {counts[1]} of {MESSAGES} messages, in {seconds:.2f} s")
    print(f"asleep: {'ended, as it should be' if stats.too_slow else 'still here'}; "
          f"{stats.queued_bytes:,} bytes wait for it")  # fmt: skip
    print("It works on a sunny day. Now: lab check A2")


async def _hear(socket: ClientConnection) -> int:
    for number in range(MESSAGES):
        if json.loads(await socket.recv())["id"] != number:
            return number
    return MESSAGES
