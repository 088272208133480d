"""Who has not been heard for long is asked; who does not answer is silent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from chat.contract import Connection, Gone, Limits

CHECKS = 8  # looks in one heartbeat, so that somebody silent is noticed at most this share of it late


class Heartbeat:
    """One timer for all connections, however many there are."""

    def __init__(self, limits: Limits, silent: Callable[[Connection], None]) -> None:
        self._limits, self._silent = limits, silent
        self._heard: dict[Connection, float] = {}
        self._asked: dict[Connection, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._limits.heartbeat / CHECKS, self._look)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()

    def heard(self, connection: Connection) -> None:
        self._heard[connection] = asyncio.get_running_loop().time()
        if self._asked:
            self._asked.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        self._heard.pop(connection, None)
        self._asked.pop(connection, None)

    def _look(self) -> None:
        self.start()
        now = asyncio.get_running_loop().time()
        late = [one for one, asked in self._asked.items() if now - asked >= self._limits.patience]
        for connection in late:
            self._silent(connection)
        for connection, heard in list(self._heard.items()):
            if now - heard >= self._limits.heartbeat and connection not in self._asked:
                self._asked[connection] = now
                with suppress(Gone):
                    connection.ping()
