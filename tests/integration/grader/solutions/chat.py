"""A2 as a learner might solve it, sharing no idea with the reference: a task and a queue for each client."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field

from chat import contract as a2
from chat.contract import Close, Gone, Kind, Seat, Stats
from chat.core.frames import batch


@dataclass(eq=False)
class Client:
    connection: object
    queue: deque = field(default_factory=deque)
    some: asyncio.Event = field(default_factory=asyncio.Event)
    rooms: set = field(default_factory=set)
    heard: float = 0.0
    tasks: list = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(len(frame.data) for frame in self.queue)


class Hub(a2.Hub):
    def __init__(self, ports, limits=None):
        self._ports, self._limits = ports, limits or a2.Limits()
        self._clients, self._rooms = {}, {}
        self._users, self._leaving = Counter(), {}
        self._counts = Counter()

    async def start(self, seats):
        for seat in seats:
            client = self._enter(seat.connection)
            self._users[seat.connection.user] += 1
            for room in seat.rooms:
                self.join(seat.connection, room)
            for frame in seat.frames:
                self._put(client, frame)

    def connect(self, connection):
        if connection in self._clients:
            return
        self._enter(connection)
        user = connection.user
        self._users[user] += 1
        if user in self._leaving:
            self._leaving.pop(user).cancel()
        elif self._users[user] == 1:
            self._ports.presence(user, True)

    def disconnect(self, connection):
        client = self._clients.pop(connection, None)
        if client is None:
            return
        for room in client.rooms:
            del self._rooms[room][connection]
            if not self._rooms[room]:
                del self._rooms[room]
        client.queue.clear()
        for task in client.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._users[connection.user] -= 1
        if not self._users[connection.user]:
            self._leaving[connection.user] = self._ports.spawn(self._leave(connection.user), "leaving")

    def join(self, connection, room):
        if connection in self._clients:
            self._clients[connection].rooms.add(room)
            self._rooms.setdefault(room, {})[connection] = self._clients[connection]

    def leave(self, connection, room):
        client = self._clients.get(connection)
        if client and room in client.rooms:
            client.rooms.remove(room)
            del self._rooms[room][connection]
            if not self._rooms[room]:
                del self._rooms[room]

    def publish(self, room, frame):
        for client in list(self._rooms.get(room, {}).values()):
            self._put(client, frame)

    def send(self, connection, frame):
        if connection in self._clients:
            self._put(self._clients[connection], frame)

    def writable(self, connection):
        if connection in self._clients:
            self._clients[connection].some.set()

    def heard(self, connection):
        if connection in self._clients:
            self._clients[connection].heard = asyncio.get_running_loop().time()

    def stats(self):
        clients = self._clients.values()
        return Stats(
            connections=len(self._clients),
            users=sum(1 for count in self._users.values() if count),
            rooms=len(self._rooms),
            slow=sum(client.connection.blocked for client in clients),
            queued_frames=sum(len(client.queue) for client in clients),
            queued_bytes=sum(client.size for client in clients),
            **self._counts,
        )

    async def stop(self, deadline):
        for client in list(self._clients.values()):
            self._write(client)
        tasks = [task for client in self._clients.values() for task in client.tasks]
        tasks += self._leaving.values()
        for user in self._leaving:
            self._ports.presence(user, False)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        seats = [
            Seat(client.connection, frozenset(client.rooms), tuple(client.queue))
            for client in self._clients.values()
        ]
        self._clients, self._rooms, self._leaving = {}, {}, {}
        return seats

    def _enter(self, connection):
        client = self._clients[connection] = Client(connection)
        client.heard = asyncio.get_running_loop().time()
        client.tasks = [
            self._ports.spawn(self._keep_writing(client), "writer"),
            self._ports.spawn(self._keep_asking(client), "heartbeat"),
        ]
        return client

    def _put(self, client, frame):
        client.queue.append(frame)
        client.some.set()
        if client.size > self._limits.queue:
            self._shrink(client)
        if client.size > self._limits.queue:
            self._write(client)
        if client.size > self._limits.queue:
            self._end(client.connection, Close.TRY_AGAIN_LATER, "too slow", "too_slow")

    def _shrink(self, client):
        kept = [frame for frame in client.queue if frame.kind is not Kind.TYPING]
        self._counts["dropped"] += len(client.queue) - len(kept)
        client.queue = deque(kept)
        if client.size > self._limits.queue:
            last = {frame.key: frame for frame in kept if frame.key}
            fresh = [frame for frame in kept if not frame.key or last[frame.key] is frame]
            self._counts["coalesced"] += len(kept) - len(fresh)
            client.queue = deque(fresh)

    def _write(self, client):
        while client.queue and not client.connection.blocked:
            taken, size = [], 0
            while client.queue and (not taken or size + len(client.queue[0].data) <= self._limits.batch):
                taken.append(client.queue.popleft())
                size += len(taken[-1].data)
            try:
                client.connection.write(batch(taken))
                self._counts["delivered"] += len(taken)
            except Gone:
                return

    async def _keep_writing(self, client):
        while True:
            await client.some.wait()
            client.some.clear()
            self._write(client)

    async def _keep_asking(self, client):
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.001, client.heard + self._limits.heartbeat - loop.time()))
            if loop.time() < client.heard + self._limits.heartbeat:
                continue
            asked = loop.time()
            try:
                client.connection.ping()
            except Gone:
                return
            await asyncio.sleep(self._limits.patience)
            if client.heard < asked:
                return self._end(client.connection, Close.SILENT, "silent", "silent")

    async def _leave(self, user):
        await asyncio.sleep(self._limits.linger)
        del self._leaving[user]
        self._ports.presence(user, False)

    def _end(self, connection, code, reason, count):
        self._counts[count] += 1
        self.disconnect(connection)
        connection.close(code, reason)
