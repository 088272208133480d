"""Which users are online here: those with a connection, and for a moment those without."""

import asyncio
from collections import Counter
from collections.abc import Callable


class Attendance:
    """Counts connections by user. `tell(user, online)` hears of each change once; a user who is back within
    `linger` seconds was never away."""

    def __init__(self, tell: Callable[[str, bool], None], linger: float) -> None:
        self._tell, self._linger = tell, linger
        self._connections: Counter[str] = Counter()
        self._leaving: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._connections)

    def resume(self, user: str) -> None:
        """One more connection of a user who is known to be online."""
        self._connections[user] += 1

    def came(self, user: str) -> None:
        self._connections[user] += 1
        leaving = self._leaving.pop(user, None)
        if leaving:
            leaving.cancel()
        elif self._connections[user] == 1:
            self._tell(user, True)

    def went(self, user: str) -> None:
        self._connections[user] -= 1
        if not self._connections[user]:
            del self._connections[user]
            loop = asyncio.get_running_loop()
            self._leaving[user] = loop.call_later(self._linger, self._left, user)

    def end(self) -> None:
        """Who was about to leave has left."""
        for user, timer in list(self._leaving.items()):
            timer.cancel()
            self._left(user)

    def _left(self, user: str) -> None:
        del self._leaving[user]
        self._tell(user, False)
