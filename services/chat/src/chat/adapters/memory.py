"""What was said in each room, kept by one replica alone."""

import asyncio
from collections import defaultdict

from chat.adapters.log import KEPT, Arrived, Done, Entry, Receipt
from chat.core.events import Event, complete, is_deletion, is_edit_of
from chat.core.limits import Pauses, slowly

__all__ = ["MemoryLog"]


class MemoryLog:
    """For one replica, and not durable: what it costs less is what durability costs."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._rooms: dict[str, list[Entry]] = defaultdict(list)
        self._last: dict[str, int] = defaultdict(int)
        self._pauses = Pauses()

    def offer(self, event: Event, done: Done) -> None:
        entries = self._rooms[event.room]
        if event.target and not any(id == event.target for id, _ in entries):
            return done(Receipt(0, False))
        if event.pause and (left := self._early(event)):
            return done(slowly(event.room, left))
        self._last[event.room] = id = self._last[event.room] + 1
        entries.append((id, complete(id, event.tail)))
        if len(entries) > 2 * KEPT:
            del entries[:KEPT]
        if event.target and is_deletion(event.tail):
            self._erase(event.room, event.target)
        self._arrived(event, id)
        return done(Receipt(id, True))

    def _early(self, event: Event) -> float:
        now = asyncio.get_running_loop().time()
        return self._pauses.wait(event.user, event.room, event.pause / 1000, now)

    def _erase(self, room: str, target: int) -> None:
        kept = [
            (id, text)
            for id, text in self._rooms[room]
            if id != target and not is_edit_of(text.encode(), target)
        ]
        self._rooms[room] = kept

    async def after(self, room: str, id: int, limit: int) -> list[Entry]:
        return [entry for entry in self._rooms[room] if entry[0] > id][:limit]

    async def before(self, room: str, id: int, limit: int) -> list[Entry]:
        return [entry for entry in self._rooms[room] if entry[0] < id][-limit:]

    async def last(self, room: str) -> int:
        return self._last[room]

    async def run(self) -> None:
        await asyncio.Event().wait()
