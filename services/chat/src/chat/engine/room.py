"""A room, and how far what is being written to it has come."""

from collections.abc import Sequence
from itertools import batched

from chat.contract import Batch, Connection, Frame
from chat.core.frames import batch
from chat.engine.outbox import Outbox

PARTS = 4  # so a room of thousands has the loop for a quarter of its writes


class Client:
    """One connection, as the hub sees it. What was sent to it alone in this turn of the loop is in `turn`."""

    __slots__ = ("connection", "outbox", "rooms", "turn")

    def __init__(self, connection: Connection, outbox: Outbox) -> None:
        self.connection, self.outbox = connection, outbox
        self.rooms: set[str] = set()
        self.turn: list[Frame] = []


class Room:
    """What is published gathers in `turn`, becomes what is `written`, and goes to one part of the room after the
    other; what comes meanwhile is the next to be written. The parts are the same tuples until somebody comes or
    goes, none of them smaller than `smallest`, unless all are fewer."""

    __slots__ = ("_left", "_parts", "_smallest", "clients", "together", "turn", "written")

    def __init__(self, smallest: int) -> None:
        self._smallest = smallest
        self.clients: dict[Connection, Client] = {}
        self.turn: list[Frame] = []
        self.written: list[Frame] = []
        self.together = Batch(b"", 0, 0.0)
        self._parts: tuple[tuple[Connection, ...], ...] = ()
        self._left: list[tuple[Connection, ...]] = []

    @property
    def unwritten(self) -> bool:
        """Whether somebody here still has to get something."""
        return bool(self._left or self.turn)

    def enter(self, client: Client) -> None:
        """Only while nothing is unwritten: it gets what comes from now on."""
        self.clients[client.connection], self._parts = client, ()

    def exit(self, connection: Connection) -> None:
        """Nothing more for this one."""
        del self.clients[connection]
        self._parts = ()

    def next_part(self) -> Sequence[Connection]:
        """Who gets what is `written`, as one batch `together`, after those who have it already."""
        if not self._left:
            self.written, self.turn = self.turn, []
            self.together = batch(self.written)
            self._parts = self._parts or _divide(tuple(self.clients), self._smallest)
            self._left = list(reversed(self._parts))
        part = self._left.pop() if self._left else ()
        return part if self._parts else [one for one in part if one in self.clients]


def _divide(everybody: Sequence[Connection], smallest: int) -> tuple[tuple[Connection, ...], ...]:
    parts = min(PARTS, max(1, len(everybody) // smallest))
    return tuple(batched(everybody, max(1, -(-len(everybody) // parts))))
