"""Mistakes about who is in a room, and when."""

import asyncio
from typing import Any

from chat.contract import Connection, Frame
from chat.core.frames import batch
from chat.engine import Hub

__all__ = [
    "ForgetsToLeave",
    "JoinsTooEarly",
    "KeepsTheRoom",
    "SendsOneByOne",
    "StopsAtTheFirstError",
    "TellsTheRoom",
    "WaitsForMore",
    "WritesInAnyOrder",
]


class WritesInAnyOrder(Hub):
    """Begins a task for each frame, and lets the loop decide which is first."""

    caught_by = "everyone_in_the_room_hears"

    def publish(self, room: str, frame: Frame) -> None:
        async def later(publish: Any) -> None:
            await asyncio.sleep(0)
            publish(room, frame)

        vars(self).setdefault("tasks", []).append(asyncio.ensure_future(later(super().publish)))


class JoinsTooEarly(Hub):
    """Lets somebody in before it has written what was published before."""

    caught_by = "joining_begins_with_the_next_frame"

    def _enter(self, client: Any, name: str) -> None:
        waiting = self._rooms[name].turn if name in self._rooms else []
        kept = list(waiting)
        waiting.clear()
        super()._enter(client, name)
        waiting.extend(kept)


class SendsOneByOne(Hub):
    """Writes each frame by itself."""

    caught_by = "one_write_for_a_turn_of_the_loop"

    def publish(self, room: str, frame: Frame) -> None:
        super().publish(room, frame)
        if room in self._rooms:
            self._flush_room(self._rooms[room])


class WaitsForMore(Hub):
    """Waits whether more comes, so that one write serves it all."""

    caught_by = "one_write_for_a_turn_of_the_loop"

    def _flush_later(self, owner: Any, flush: Any) -> None:
        self._turns[owner] = flush
        if self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_later(2.0, self._flush)


class TellsTheRoom(Hub):
    """Answers one by telling all who share a room."""

    caught_by = "a_message_to_one_is_to_one"

    def send(self, connection: Connection, frame: Frame) -> None:
        for room in self._clients[connection].rooms if connection in self._clients else ():
            self.publish(room, frame)


class ForgetsToLeave(Hub):
    """Removes who is gone from the list of clients, but not from the rooms."""

    caught_by = "who_is_gone_is_forgotten"

    def disconnect(self, connection: Connection) -> None:
        if connection in self._clients:
            self._clients[connection].rooms.clear()
        super().disconnect(connection)


class KeepsTheRoom(Hub):
    """Keeps each room that anybody was ever in."""

    caught_by = "who_is_gone_is_forgotten"

    def _exit(self, client: Any, name: str) -> None:
        room = self._rooms[name]
        super()._exit(client, name)
        self._rooms[name] = room


class StopsAtTheFirstError(Hub):
    """Gives up a broadcast when one connection fails."""

    caught_by = "a_broken_connection_hurts_nobody"

    def _write_part(self, room: Any) -> None:
        frames, room.turn = room.turn, []
        for client in list(room.clients.values()):
            if frames and not client.connection.blocked:
                client.connection.write(batch(frames))
