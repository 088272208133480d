"""Mistakes about who does not read."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from chat.contract import Connection, Frame, Gone, Kind, Limits, Ports
from chat.core.frames import batch
from chat.engine import Hub
from chat.engine.outbox import Outbox

__all__ = [
    "DropsTheOldest",
    "EndsAtOnce",
    "ForgetsWhatWaits",
    "KeepsEverything",
    "KeepsOldPresence",
    "PoursItOut",
    "TypingIsAMessage",
    "WaitsForTheSlow",
    "WritesAnyway",
]


class WaitsForTheSlow(Hub):
    """Waits after each write until the client has read enough."""

    caught_by = "a_slow_reader_slows_nobody"

    def publish(self, room: str, frame: Frame) -> None:
        mine = vars(self)
        queue = mine.setdefault("queues", {}).setdefault(room, asyncio.Queue())
        queue.put_nowait(frame)
        if room not in mine.setdefault("tasks", {}):
            mine["tasks"][room] = asyncio.ensure_future(self._send_all(room, queue))

    async def _send_all(self, room: str, queue: "asyncio.Queue[Frame]") -> None:
        while True:
            frame = await queue.get()
            for connection in list(self._rooms[room].clients):
                with suppress(Gone):
                    connection.write(batch([frame]))
                    await connection.drain()

    async def stop(self, deadline: float) -> Any:
        for task in vars(self).get("tasks", {}).values():
            task.cancel()
        return await super().stop(deadline)


class KeepsEverything(Hub):
    """Queues without a bound for whoever does not read."""

    caught_by = "what_waits_is_bounded"

    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, replace(limits, queue=1 << 40))


class WritesAnyway(Hub):
    """Hands everything to the transport, which keeps what the network does not take."""

    caught_by = "what_waits_is_bounded"

    def _write_part(self, room: Any) -> None:
        frames, room.turn = room.turn, []
        for client in list(room.clients.values()) if frames else ():
            with suppress(Gone):
                client.connection.write(batch(frames))


class EndsAtOnce(Hub):
    """Ends whoever is blocked for a moment."""

    caught_by = "a_short_stall_loses_nothing"

    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, replace(limits, queue=1024))


class ForgetsWhatWaits(Hub):
    """Does not look at the queue again until something else is sent."""

    caught_by = "a_short_stall_loses_nothing"

    def writable(self, connection: Connection) -> None:
        if connection in self._clients and self._clients[connection].turn:
            super().writable(connection)


class DropsTheOldest(Hub):
    """Makes room by forgetting what came first: the client will never know."""

    caught_by = "what_waits_is_bounded"

    def _queue(self, client: Any, frames: Sequence[Frame]) -> None:
        for frame in frames:
            while not client.outbox.put(frame):
                client.outbox.take(1)


class TypingIsAMessage(Hub):
    """Makes no difference between what can be lost and what cannot."""

    caught_by = "typing_goes_first"

    def publish(self, room: str, frame: Frame) -> None:
        super().publish(room, replace(frame, kind=Kind.MESSAGE))


class KeepsOldPresence(Hub):
    """Ends who has no room for a presence that nobody needs any more."""

    caught_by = "presence_is_coalesced"

    def publish(self, room: str, frame: Frame) -> None:
        super().publish(room, replace(frame, key=""))


class PoursItOut(Hub):
    """Writes all that waited as soon as the client takes anything."""

    caught_by = "a_burst_does_not_overrun"

    def writable(self, connection: Connection) -> None:
        outbox: Outbox | None = self._clients[connection].outbox if connection in self._clients else None
        if outbox and not connection.blocked:
            connection.write(outbox.take(1 << 40))
