"""Who is connected and in which room, and what each still has to get."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import batched
from operator import attrgetter

from chat.contract import Close, Connection, Frame, Gone, Limits, Ports, Seat, Stats
from chat.contract import Hub as Contract
from chat.core.frames import batch
from chat.engine.attendance import Attendance
from chat.engine.heartbeat import Heartbeat
from chat.engine.outbox import Outbox, Tally
from chat.engine.room import Client, Room

_blocked = attrgetter("blocked")


class Hub(Contract):
    """See the contract.

    Frames are gathered until the loop has run everything that is ready, and then written: to a room the same
    bytes for all, and to a large one in parts, between which the loop runs what has become ready. Only who is
    blocked, or still has something in its outbox, gets them one by one, into the outbox. Before anybody joins or
    leaves a room, what was published to it is written."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._clients: dict[Connection, Client] = {}
        self._rooms: dict[str, Room] = {}
        self._turns: dict[Client | Room, Callable[[], None]] = {}
        self._flush_at: asyncio.Handle | None = None
        self._tally, self._broadcast, self._congested = Tally(), ports.broadcast, ports.congested
        self._attendance = Attendance(ports.presence, self._limits.linger)
        self._heartbeat = Heartbeat(self._limits, self._is_silent)
        self._delivered = self._too_slow = self._silent = 0

    async def start(self, seats: Sequence[Seat]) -> None:
        self._heartbeat.start()
        for seat in seats:
            client = self._seated(seat.connection)
            self._attendance.resume(seat.connection.user)
            for name in seat.rooms:
                self._enter(client, name)
            self._queue(client, seat.frames)
            self.writable(seat.connection)

    def connect(self, connection: Connection) -> None:
        if connection not in self._clients:
            self._seated(connection)
            self._attendance.came(connection.user)

    def disconnect(self, connection: Connection) -> None:
        client = self._clients.pop(connection, None)
        if client:
            self._heartbeat.forget(connection)
            client.outbox.empty()
            client.turn.clear()
            for name in list(client.rooms):
                self._exit(client, name)
            self._attendance.went(connection.user)

    def join(self, connection: Connection, room: str) -> None:
        client = self._clients.get(connection)
        if client and room not in client.rooms:
            self._enter(client, room)

    def leave(self, connection: Connection, room: str) -> None:
        client = self._clients.get(connection)
        if client and room in client.rooms:
            self._flush_room(self._rooms[room])
            if room in client.rooms:  # the flush may have ended the connection
                self._exit(client, room)

    def publish(self, room: str, frame: Frame) -> None:
        found = self._rooms.get(room)
        if found:
            found.turn.append(frame)
            if len(found.turn) == 1:
                self._flush_later(found, lambda: self._write_on(found))

    def send(self, connection: Connection, frame: Frame) -> None:
        client = self._clients.get(connection)
        if client:
            client.turn.append(frame)
            if len(client.turn) == 1:
                self._flush_later(client, lambda: self._flush_client(client))

    def writable(self, connection: Connection) -> None:
        client = self._clients.get(connection)
        with suppress(Gone):
            while client and client.outbox and not connection.blocked:
                taken = client.outbox.take(self._limits.batch)
                self._delivered += taken.frames
                connection.write(taken)

    def heard(self, connection: Connection) -> None:
        if connection in self._clients:
            self._heartbeat.heard(connection)

    def stats(self) -> Stats:
        return Stats(
            connections=len(self._clients),
            users=len(self._attendance),
            rooms=len(self._rooms),
            slow=sum(1 for client in self._clients.values() if client.outbox),
            queued_frames=self._tally.frames,
            queued_bytes=self._tally.bytes,
            delivered=self._delivered,
            dropped=self._tally.dropped,
            coalesced=self._tally.coalesced,
            too_slow=self._too_slow,
            silent=self._silent,
        )

    async def stop(self, deadline: float) -> Sequence[Seat]:
        while self._turns:
            self._flush()
        self._heartbeat.stop()
        self._attendance.end()
        clients = list(self._clients.values())
        self._clients.clear()
        self._rooms.clear()
        return [Seat(one.connection, frozenset(one.rooms), one.outbox.empty()) for one in clients]

    def _seated(self, connection: Connection) -> Client:
        client = Client(connection, Outbox(self._limits.queue, self._tally))
        self._clients[connection] = client
        self._heartbeat.heard(connection)
        return client

    def _enter(self, client: Client, name: str) -> None:
        room = self._rooms.setdefault(name, Room(self._limits.part))
        self._flush_room(room)
        if client.connection in self._clients:
            client.rooms.add(name)
            room.enter(client)

    def _exit(self, client: Client, name: str) -> None:
        client.rooms.discard(name)
        room = self._rooms[name]
        room.exit(client.connection)
        if not room.clients:
            del self._rooms[name]

    def _flush_later(self, owner: Client | Room, flush: Callable[[], None]) -> None:
        self._turns[owner] = flush
        if self._flush_at is None:
            self._flush_at = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Write what this turn of the loop has gathered."""
        if self._flush_at:
            self._flush_at.cancel()
            self._flush_at = None
        turns, self._turns = self._turns, {}
        for flush in turns.values():
            flush()

    def _flush_room(self, room: Room) -> None:
        """Everything that was published, to everybody, now."""
        while room.unwritten:
            self._write_part(room)

    def _write_on(self, room: Room) -> None:
        """The next part; the one after that when others have had their turn."""
        if room.unwritten:
            self._write_part(room)
        if room.unwritten:
            self._flush_later(room, lambda: self._write_on(room))

    def _write_part(self, room: Room) -> None:
        """The same bytes for everybody who can take them."""
        part = room.next_part()
        if self._tally.frames or (self._congested() and any(map(_blocked, part))):
            part = self._free(room, part)
        self._delivered += room.together.frames * self._broadcast(part, room.together)

    def _free(self, room: Room, part: Sequence[Connection]) -> Sequence[Connection]:
        """Who of `part` can take more at once; for the others, what is written waits."""
        free = []
        for client in [room.clients[one] for one in part]:
            if client.outbox or client.connection.blocked:
                self._queue(client, room.written)
            else:
                free.append(client.connection)
        return free

    def _flush_client(self, client: Client) -> None:
        frames, client.turn = client.turn, []
        if frames:
            self._hand_over(client, frames)

    def _hand_over(self, client: Client, frames: Sequence[Frame]) -> None:
        """What the network takes at once need not fit into the outbox: then the parts of it may."""
        together, connection = batch(frames), client.connection
        if client.outbox or connection.blocked:
            self._queue(client, frames)
        elif len(frames) == 1 or len(together.data) <= self._limits.batch:
            with suppress(Gone):
                connection.write(together)
                self._delivered += together.frames
        else:
            for half in batched(frames, -(-len(frames) // 2)):
                if connection in self._clients:  # the first half may have ended it
                    self._hand_over(client, half)

    def _queue(self, client: Client, frames: Sequence[Frame]) -> None:
        """Into the outbox; who has no room even so is told to come back."""
        if not all(client.outbox.put(frame) for frame in frames):
            self._too_slow += 1
            self._end(
                client.connection, Close.TRY_AGAIN_LATER, "too slow: come back, and ask for what you missed"
            )

    def _is_silent(self, connection: Connection) -> None:
        self._silent += 1
        self._end(connection, Close.SILENT, "no sign of life")

    def _end(self, connection: Connection, code: Close, reason: str) -> None:
        self.disconnect(connection)
        connection.close(code, reason)
