"""What a competent newcomer writes first: a task for each room that sends what is said to one after the other.

On a sunny day everybody reads. It waits for whoever does not, and remembers without a bound what came
meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from chat.contract import Batch, Close, Connection, Frame, Gone, Limits, Ports, Seat, Stats
from chat.contract import Hub as Contract


class Hub(Contract):
    """See the contract; `challenge.toml` lists what of it is not kept."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._rooms: dict[str, list[Connection]] = defaultdict(list)
        self._queues: dict[str, asyncio.Queue[Frame]] = defaultdict(asyncio.Queue)
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._watchers: dict[Connection, asyncio.Task[None]] = {}
        self._heard: dict[Connection, float] = {}
        self._delivered = self._silent = 0

    async def start(self, seats: Sequence[Seat]) -> None:
        for seat in seats:
            self._watch(seat.connection)
            for room in seat.rooms:
                self.join(seat.connection, room)

    def connect(self, connection: Connection) -> None:
        self._watch(connection)
        self._ports.presence(connection.user, True)

    def disconnect(self, connection: Connection) -> None:
        if connection not in self._watchers:
            return
        self._watchers.pop(connection).cancel()
        del self._heard[connection]
        for room in list(self._rooms):
            self.leave(connection, room)
        self._ports.presence(connection.user, False)

    def join(self, connection: Connection, room: str) -> None:
        if connection in self._watchers and connection not in self._rooms[room]:
            self._rooms[room].append(connection)
            if room not in self._senders:
                self._senders[room] = self._ports.spawn(self._send_all(room), "room")

    def leave(self, connection: Connection, room: str) -> None:
        if connection in self._rooms[room]:
            self._rooms[room].remove(connection)

    def publish(self, room: str, frame: Frame) -> None:
        self._queues[room].put_nowait(frame)

    def send(self, connection: Connection, frame: Frame) -> None:
        if connection in self._watchers:
            with suppress(Gone):
                self._write(connection, frame)

    def writable(self, connection: Connection) -> None:
        """Nothing to do: whoever sends waits for it."""

    def heard(self, connection: Connection) -> None:
        if connection in self._heard:
            self._heard[connection] = asyncio.get_running_loop().time()

    def stats(self) -> Stats:
        waiting = [frame for queue in self._queues.values() for frame in queue._queue]  # type: ignore[attr-defined]  # a queue does not tell
        return Stats(
            connections=len(self._watchers),
            users=len({connection.user for connection in self._watchers}),
            rooms=len(self._rooms),
            queued_frames=len(waiting),
            queued_bytes=sum(len(frame.data) for frame in waiting),
            delivered=self._delivered,
            silent=self._silent,
        )

    async def stop(self, deadline: float) -> Sequence[Seat]:
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                for queue in self._queues.values():
                    await queue.join()
        tasks = [*self._senders.values(), *self._watchers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return [Seat(connection, self._rooms_of(connection)) for connection in self._watchers]

    def _rooms_of(self, connection: Connection) -> frozenset[str]:
        return frozenset(room for room, members in self._rooms.items() if connection in members)

    def _watch(self, connection: Connection) -> None:
        self._heard[connection] = asyncio.get_running_loop().time()
        self._watchers[connection] = self._ports.spawn(self._keep_asking(connection), "heartbeat")

    def _write(self, connection: Connection, frame: Frame) -> None:
        connection.write(Batch(frame.data, 1, frame.born))
        self._delivered += 1

    async def _send_all(self, room: str) -> None:
        while True:
            frame = await self._queues[room].get()
            for connection in list(self._rooms[room]):
                with suppress(Gone):
                    self._write(connection, frame)
                    await connection.drain()
            self._queues[room].task_done()

    async def _keep_asking(self, connection: Connection) -> None:
        while True:
            await asyncio.sleep(self._limits.heartbeat)
            asked = asyncio.get_running_loop().time()
            if asked - self._heard[connection] < self._limits.heartbeat:
                continue
            with suppress(Gone):
                connection.ping()
            await asyncio.sleep(self._limits.patience)
            if self._heard[connection] < asked:
                self._silent += 1
                connection.close(Close.SILENT, "no sign of life")
