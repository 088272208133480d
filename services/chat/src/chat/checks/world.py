"""One hub behind a simulated network: clients that read, stop reading, fall silent, vanish."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from simloop import SimLoop

from chat.contract import Batch, Frame, Gone, Hub, Kind, Limits, Ports, Seat
from lab.grader.coroutines import simulated
from lab.grader.outcome import Outcome

__all__ = ["KIB", "LIMITS", "Client", "World", "judged"]

KIB = 1024
LIMITS = Limits(queue=16 * KIB, batch=4 * KIB, heartbeat=20.0, patience=10.0, linger=3.0)
PORT, HIGH, LOW = 9000, 4 * KIB, KIB
PING = "ping"
RUNS = 4


class Socket(asyncio.Protocol):
    """The connection port over a simulated stream; a frame is a line. The client's first line is its name."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.user, self.blocked, self.closed_with = "", False, 0
        self.writes = self.frames = self.most_waiting = self.late_writes = self.pings = 0
        self.broken = False
        self._free = asyncio.Event()
        self._free.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(HIGH, LOW)

    def data_received(self, data: bytes) -> None:
        if not self.user:
            self.user = data.decode().splitlines()[0]
            self._world.sockets[self.user].append(self)
            self._world.hub.connect(self)
            self._transport.write(b"welcome\n")
        else:
            self._world.hub.heard(self)

    def pause_writing(self) -> None:
        self.blocked = True
        self._free.clear()

    def resume_writing(self) -> None:
        self.blocked = False
        self._free.set()
        self._world.hub.writable(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._free.set()
        if self.user:
            self._world.hub.disconnect(self)

    def write(self, batch: Batch) -> None:
        self.late_writes += bool(self.closed_with)
        if self._transport.is_closing() or self.broken:
            raise Gone(f"{self.user} is gone")
        self.writes += 1
        self.frames += batch.frames
        self._transport.write(batch.data)
        self.most_waiting = max(self.most_waiting, self._transport.get_write_buffer_size())

    def ping(self) -> None:
        self.pings += 1
        if self._transport.is_closing() or self.broken:
            raise Gone(f"{self.user} is gone")
        self._transport.write(f"{PING}\n".encode())

    def close(self, code: int, reason: str) -> None:
        self.closed_with = self.closed_with or code
        self._transport.abort()

    async def drain(self) -> None:
        await self._free.wait()
        if self._transport.is_closing():
            raise Gone(f"{self.user} is gone")


class Client(asyncio.Protocol):
    """Somebody in the chat: `got` is what came, without what keeps the connection alive."""

    def __init__(self, name: str) -> None:
        self.name, self.got, self.answers = name, list[str](), True
        self.at: list[float] = []
        self.ready, self.lost = asyncio.Event(), asyncio.Event()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(f"{self.name}\n".encode())

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._read(line.decode().rstrip())

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set()

    def stop_reading(self) -> None:
        self._transport.pause_reading()

    def read_on(self) -> None:
        self._transport.resume_reading()

    def say(self) -> None:
        """Any sign of life."""
        if not self._transport.is_closing():
            self._transport.write(b"here\n")

    def leave(self) -> None:
        """Close the connection, as one does who is done."""
        self._transport.abort()

    def _read(self, line: str) -> None:
        if line == "welcome":
            self.ready.set()
        elif line == PING:
            if self.answers and not self._transport.is_closing():
                self._transport.write(b"pong\n")
        else:
            self.got.append(line)
            self.at.append(asyncio.get_running_loop().time())


class World:
    """A hub of the class judged, its clients, and what it told of presence. `work` runs in it, over and
    over."""

    def __init__(self, engine: type[Hub], limits: Limits) -> None:
        self._engine, self._limits = engine, limits
        self.sockets: dict[str, list[Socket]] = defaultdict(list)
        self.told: list[tuple[str, bool]] = []
        self.stopped = False
        self.hub = self._engine(Ports(presence=self._tell), limits)

    async def open(self) -> None:
        """Begin to listen."""
        loop = cast(SimLoop, asyncio.get_running_loop())
        await self.hub.start([])
        started = loop.net.host("server").create_task(self._listen())
        await started

    async def client(self, name: str, *rooms: str) -> Client:
        """Somebody connects, and joins these rooms."""
        loop = cast(SimLoop, asyncio.get_running_loop())
        came = Client(name)
        place = loop.net.host(f"{name}-{len(self.sockets[name])}")
        await place.create_task(loop.create_connection(lambda: came, "server", PORT))
        await came.ready.wait()
        for room in rooms:
            self.hub.join(self.socket(name), room)
        return came

    def socket(self, name: str) -> Socket:
        """The newest connection of a user."""
        return self.sockets[name][-1]

    def publish(self, room: str, text: str, size: int = 0, kind: Kind = Kind.MESSAGE, key: str = "") -> None:
        """A frame of about `size` bytes, if that is more than `text` needs."""
        now = asyncio.get_running_loop().time()
        self.hub.publish(room, Frame(text.ljust(size - 1).encode() + b"\n", kind, key, now))

    async def stop(self) -> Sequence[Seat]:
        """The hub stops; who was here."""
        self.stopped = True
        return await self.hub.stop(1.0)

    async def switch(self) -> Sequence[Seat]:
        """Another hub of the same class takes over."""
        seats = await self.stop()
        self.stopped = False
        self.hub = self._engine(Ports(presence=self._tell), self._limits)
        await self.hub.start(seats)
        return seats

    def _tell(self, user: str, online: bool) -> None:
        self.told.append((user, online))

    async def _listen(self) -> None:
        await asyncio.get_running_loop().create_server(lambda: Socket(self), "localhost", PORT)


type Scenario = Callable[[World], Awaitable[None]]


def judged(engine: type[Hub], scenario: Scenario, seeds: Sequence[int], limits: Limits = LIMITS) -> Outcome:
    """Whether the engine stands `scenario`, with several orders of events on the network for each seed."""

    async def work() -> None:
        world = World(engine, limits)
        await world.open()
        await scenario(world)
        if not world.stopped:
            await world.stop()

    return simulated(work, seeds, RUNS)
