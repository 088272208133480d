"""The WebSocket port: accepts, refuses strangers, and sends everybody away with a time to come back."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import structlog
from websockets.http11 import Request

from chat.adapters.audiences import Audiences
from chat.adapters.connection import Handler, Refusal, WebSocket
from chat.contract import Close, Connection, Gone
from chat.core import frames
from chat.core.answers import Closing
from chat.metrics import WireMetrics
from lab_kit.faults import Fault, Faults

__all__ = ["FAULTS", "Listener"]

MAX_SIZE, BACKLOG = 64 * 1024, 4096
FULL_SECONDS = 5  # somebody may have left a replica that is full, or another be there
SPREAD = 0.002  # seconds for each client between the first and the last who shall come back
FIRST_BACK, LAST_BACK, CLOSE_SECONDS = 0.5, 10.0, 1.0
FAULTS = (
    Fault(
        "slow-reader",
        "share of clients",
        "pass nothing on to so many of those who are here, as if they did not read",
    ),
    Fault("drop-connection", "share of clients a second", "end connections; their clients come back"),
    Fault("slow-redis", "s", "wait before each write to the rooms' logs", 5.0),
)
log = structlog.get_logger(__name__)


class Listener:
    """Owns the connections from the first byte to the last."""

    def __init__(
        self,
        handler: Handler,
        metrics: WireMetrics,
        audiences: Audiences,
        faults: Faults,
        origins: Sequence[str],
        most: int,
        here: Callable[[], Sequence[Connection]],
    ) -> None:
        self._handler, self._metrics, self._audiences = handler, metrics, audiences
        self._faults, self._here = faults, here
        self._origins, self._most = frozenset(origins), most
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, host, port, backlog=BACKLOG)
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("listening for websockets", host=host, port=self.port)

    async def dismiss(self, seconds: float) -> None:
        """Accept nobody more; tell everybody when to come back, not all at the same time, and close."""
        if self._server is None:
            return
        self._server.close()
        here = list(self._here())
        spread = min(max(len(here) * SPREAD, FIRST_BACK), LAST_BACK)
        for connection in here:
            wait = round(random.uniform(0.1, spread), 3)
            with suppress(Gone):
                connection.write(frames.batch([frames.of(Closing(retry_after=wait))]))
            connection.close(Close.RESTART, f"restarting: come back in {wait} s")
        await asyncio.sleep(min(seconds, CLOSE_SECONDS if here else 0.0))

    async def run(self) -> None:
        """Do for ever what the faults ask for."""
        while True:
            await asyncio.sleep(1.0)
            here = [connection for connection in self._here() if isinstance(connection, WebSocket)]
            self._metrics.sample(len(here))
            self._metrics.settle()
            self._stall(here)
            for connection in here if self._faults.magnitude("drop-connection") else ():
                if self._faults.drawn("drop-connection"):
                    connection.close(Close.GOING_AWAY, "a fault of the lab")

    def _stall(self, here: Sequence[WebSocket]) -> None:
        wanted = round(self._faults.magnitude("slow-reader") * len(here))
        stalled = [connection for connection in here if connection.stalled]
        for connection in stalled[wanted:]:
            connection.stall(False)
        for connection in [one for one in here if not one.stalled][: max(0, wanted - len(stalled))]:
            self._faults.fired("slow-reader")
            connection.stall(True)

    def _accept(self) -> WebSocket:
        return WebSocket(self._handler, self._metrics, self._audiences, self._refuse, MAX_SIZE)

    def _refuse(self, request: Request) -> Refusal | None:
        """Why not; None for who may come in. A browser always says which page it is that asks (RFC 6454)."""
        if len(self._here()) >= self._most:
            full = f"this replica has {self._most} clients already: try another\n"
            return Refusal(full, 503, FULL_SECONDS)
        origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
        if origin is None or origin in self._origins:
            return None
        if urlsplit(origin).hostname == urlsplit(f"//{host}").hostname:
            return None
        return Refusal(f"pages of {origin} may not connect: the setting CHAT_ORIGINS lists who may\n")
