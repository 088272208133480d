"""What an engine of A2 is given, what it promises, and what may go wrong."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from lab_kit.coroutines import AsyncPorts


class Kind(IntEnum):
    """What a frame is about. Of what waits for a slow client, the highest kind is given up first."""

    MESSAGE = 0
    PRESENCE = 1
    TYPING = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One WebSocket frame, built once for all who get it.

    A later frame of the same `key` makes an earlier one that still waits superfluous; an empty key never does.
    `born` is the loop's time at which what it tells came here; 0 for an answer, and for what is told again.
    """

    data: bytes
    kind: Kind = Kind.MESSAGE
    key: str = ""
    born: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Several frames in a row, as one write: `frames` of them in `data`, the oldest `born` then."""

    data: bytes
    frames: int
    born: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds a hub keeps, in bytes and seconds.

    `queue`: what may wait in the hub for one client, beyond what its connection has taken. `batch`: about how
    much is written at once to a client that was slow. `part`: how many clients of a room are worth a pause,
    in which the loop does what has become ready, before others are written to. `heartbeat`: how long a client
    may be silent before it is asked; `patience`: how long it may then take to answer. `linger`: how long
    after its last connection a user stays online."""

    queue: int = 256 * 1024
    batch: int = 64 * 1024
    part: int = 50
    heartbeat: float = 20.0
    patience: float = 10.0
    linger: float = 3.0


class Close(IntEnum):
    """Why the server ends a connection: codes of RFC 6455, 7.4.1, and of the IANA registry."""

    GOING_AWAY = 1001
    POLICY = 1008
    RESTART = 1012
    TRY_AGAIN_LATER = 1013
    SILENT = 1011


class ChatError(Exception):
    """Anything this service reports; the text is for people, `code` for programs."""

    code = "chat"


class Gone(ChatError):
    """The connection has ended; `Hub.disconnect` has been, or will be, called."""

    code = "gone"


class Connection(Protocol):
    """One client. Everything but `drain` returns at once; two connections are equal only if they are the same.

    `blocked`: the network takes no more just now. What is written anyway is kept in memory, without a bound.
    When it takes more again, `Hub.writable` is called."""

    @property
    def user(self) -> str: ...
    @property
    def blocked(self) -> bool: ...
    def write(self, batch: Batch) -> None:
        """Hand bytes to the network. Raises `Gone`."""

    def ping(self) -> None:
        """Ask whether it is there; any sign of life comes as `Hub.heard`. Raises `Gone`."""

    def close(self, code: int, reason: str) -> None:
        """End it, by force if the client does not help; more than once is harmless. Nothing is written
        after."""

    async def drain(self) -> None:
        """Return when it is not blocked. Raises `Gone`."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A connection, the rooms it is in, and the frames that wait for it: what one hub hands to the next."""

    connection: Connection
    rooms: frozenset[str] = frozenset()
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of a hub, consistent in itself. The last five never decrease while it lives; `delivered`
    counts frames handed to connections."""

    connections: int = 0
    users: int = 0
    rooms: int = 0
    slow: int = 0
    queued_frames: int = 0
    queued_bytes: int = 0
    delivered: int = 0
    dropped: int = 0
    coalesced: int = 0
    too_slow: int = 0
    silent: int = 0


def _nothing(user: str, online: bool) -> None: ...


def _perhaps() -> bool:
    return True


def one_by_one(connections: Sequence[Connection], batch: Batch) -> int:
    """`Ports.broadcast` for connections of any kind."""
    written = 0
    for connection in connections:
        with suppress(Gone):
            connection.write(batch)
            written += 1
    return written


@dataclass(frozen=True, kw_only=True)
class Ports(AsyncPorts):
    """What hubs get: the common ports, whom to tell that a user came online here, or went, and how the same bytes
    are written to many.

    `presence` returns at once and calls nothing of the hub. `broadcast` does what `Connection.write` to each
    would, for less, and returns to how many: not to who is gone. It costs least when it is given the same tuple
    again. `congested` is False only while nobody is blocked: then there is no need to look at each.
    """

    presence: Callable[[str, bool], None] = _nothing
    broadcast: Callable[[Sequence[Any], Batch], int] = one_by_one
    congested: Callable[[], bool] = _perhaps


class Hub(Protocol):
    """The engine: who is connected and in which room, and what each still has to get. All of it on one loop.

    No method but `stop` waits for anything, least of all for a client. A connection that is not connected is
    ignored by every method.

    Guarantees, whatever the clients do: who is in a room gets each frame published there, once, in order,
    from `join` to `leave`, unless its connection is ended first. What waits for a client that does not read
    is at most `limits.queue`: typing is given up first, then presence that a later frame has made
    superfluous, and then the client, with `Close.TRY_AGAIN_LATER`: it comes back and asks for what it
    missed. What is published to a room between two turns of the loop costs each client one write."""

    def __init__(self, ports: Ports, limits: Limits) -> None: ...

    async def start(self, seats: Sequence[Seat]) -> None:
        """Begin, with the connections an earlier hub has handed over; nobody notices."""

    def connect(self, connection: Connection) -> None:
        """A client is here. The first connection of a user makes it online."""

    def disconnect(self, connection: Connection) -> None:
        """It is gone: out of every room. `limits.linger` after the last one its user is offline."""

    def join(self, connection: Connection, room: str) -> None:
        """From now on it gets what is published to `room`, and nothing that was before."""

    def leave(self, connection: Connection, room: str) -> None:
        """It gets what was published to `room` before, and nothing from now on."""

    def publish(self, room: str, frame: Frame) -> None:
        """For everyone in `room`."""

    def send(self, connection: Connection, frame: Frame) -> None:
        """For one client, after what was sent to it before."""

    def writable(self, connection: Connection) -> None:
        """The network takes more from this client's connection again."""

    def heard(self, connection: Connection) -> None:
        """The client gave a sign of life. Who gives none for `limits.heartbeat` is asked; who then gives
        none for `limits.patience` is ended with `Close.SILENT`."""

    def stats(self) -> Stats: ...

    async def stop(self, deadline: float) -> Sequence[Seat]:
        """Write what can be written, leave no task and no timer, return who is here. It closes no
        connection."""
