"""The same bytes to many sockets, with hardly more than a system call for each."""

import os
from collections.abc import Iterable, Sequence
from itertools import batched, repeat
from operator import attrgetter
from typing import Protocol

from chat.contract import Batch
from chat.metrics import WireMetrics

__all__ = ["NOWHERE", "Audiences", "Direct"]

NOWHERE = -1  # writing there fails
MOST_KNOWN = 1024


class Direct(Protocol):
    """A connection as `Audiences` sees it."""

    direct: int
    """The socket's descriptor while bytes may go to it directly, else `NOWHERE`."""

    @property
    def held(self) -> int:
        """Bytes that wait for the network."""

    def leave(self, rest: bytes) -> bool:
        """Take what the socket did not; False from a connection that is closed."""


type Group = tuple[Sequence[Direct], Sequence[int]]
_direct = attrgetter("direct")


class Audiences:
    """Remembers the descriptors of who is written to together, as long as all of them stay what they are: a look
    at each connection, for each message, costs more than the rest of what is done here. Also knows who is
    `blocked`."""

    def __init__(self, metrics: WireMetrics) -> None:
        self._metrics = metrics
        self._known: dict[tuple[int, int], tuple[Sequence[Direct], Sequence[Group]]] = {}
        self.blocked: set[Direct] = set()
        metrics.held = self.held

    def congested(self) -> bool:
        """See `contract.Ports.congested`."""
        return bool(self.blocked)

    def held(self) -> int:
        """Bytes that the connections have taken and the network has not."""
        return sum(one.held for one in self.blocked)

    def changed(self) -> None:
        """Somebody's `direct` is another now."""
        self._known.clear()

    def broadcast(self, connections: Sequence[Direct], batch: Batch) -> int:
        """See `contract.Ports.broadcast`."""
        data, written = batch.data, 0
        for some, numbers in self._groups(connections):
            sent = _write_each(numbers, data)
            reached = len(some)
            if sum(sent) != len(data) * reached:
                rests = zip(some, sent, strict=True)
                reached = sum(size == len(data) or one.leave(data[size:]) for one, size in rests)
            self._metrics.wrote(batch, reached)
            written += reached
        return written

    def _groups(self, connections: Sequence[Direct]) -> Iterable[Group]:
        """Of no more than the metrics want to hear of at once. Only a tuple is sure to have the same members the
        next time, and to be the same one while it is held here."""
        every = self._metrics.every
        if not isinstance(connections, tuple):
            return _grouped(connections, every)
        key = (id(connections), every)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = connections, tuple(_grouped(connections, every))
        return self._known[key][1]


def _grouped(connections: Sequence[Direct], size: int) -> Iterable[Group]:
    return ((some, tuple(map(_direct, some))) for some in batched(connections, size))


def _write_each(numbers: Sequence[int], data: bytes) -> list[int]:
    """How many bytes each socket took: none where there was an error."""
    sent: list[int] = []
    writes = map(os.write, numbers, repeat(data))
    while len(sent) < len(numbers):
        try:
            sent.extend(writes)
        except OSError:
            sent.append(0)
    return sent
