"""Which bytes of a file are here, in hand, or still missing."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KIB, MIB = 1024, 1024 * 1024
SMALLEST_BLOCK, LARGEST_BLOCK = 1 * MIB, 16 * MIB
BLOCKS_PER_CONNECTION = 4

type Range = tuple[int, int]
"""First byte, and the byte after the last."""


@dataclass(slots=True, eq=False)
class Block:
    """A range that one worker is fetching; `position` is its next byte. An open end is None."""

    position: int
    end: int | None

    @property
    def left(self) -> int | None:
        return None if self.end is None else self.end - self.position


def block_size(total: int, connections: int) -> int:
    """Small enough that every connection gets several, so that a slow one takes fewer."""
    even = -(-total // (connections * BLOCKS_PER_CONNECTION))
    return max(SMALLEST_BLOCK, min(LARGEST_BLOCK, even))


class Plan:
    """The bytes of one version of a file, handed out in order, lowest first, and each to one worker only.

    Handing out in order keeps `frontier`, up to which the file is whole, close behind: it can be hashed while
    the rest is still coming.
    """

    def __init__(self, total: int | None, size: int = LARGEST_BLOCK, here: Iterable[Range] = ()) -> None:
        self.total = total
        self.received = 0
        self._size = size
        self._in_hand: set[Block] = set()
        self._missing: list[tuple[int, int | None]] = []
        edge = 0
        for start, end in sorted(here):
            if start > edge:
                self._missing.append((edge, start))
            self.received += end - start
            edge = end
        if total is None or edge < total:
            self._missing.append((edge, total))

    @property
    def complete(self) -> bool:
        return not self._missing and not self._in_hand

    @property
    def has_missing(self) -> bool:
        """Whether there is something to hand out."""
        return bool(self._missing)

    @property
    def frontier(self) -> int:
        """Every byte before this one is here."""
        edges = [block.position for block in self._in_hand]
        if self._missing:
            edges.append(self._missing[0][0])
        return min(edges, default=self.received)

    def take(self) -> Block | None:
        """Hand out the lowest missing bytes, at most one block of them."""
        if not self._missing:
            return None
        start, end = heapq.heappop(self._missing)
        if end is not None and end - start > self._size:
            heapq.heappush(self._missing, (start + self._size, end))
            end = start + self._size
        block = Block(start, end)
        self._in_hand.add(block)
        return block

    def cut(self, block: Block, end: int) -> None:
        """Give back all of `block` from `end` on, to be taken by others."""
        assert block.end is None or end <= block.end
        if block.end is None or end < block.end:
            heapq.heappush(self._missing, (end, block.end))
        block.end = end

    def advance(self, block: Block, count: int) -> None:
        """`count` more bytes of `block` are here."""
        block.position += count
        self.received += count
        if block.position == block.end:
            self._in_hand.discard(block)

    def give_back(self, block: Block) -> None:
        """What is left of `block` is missing again; harmless for a block that is finished."""
        if block in self._in_hand:
            self._in_hand.discard(block)
            heapq.heappush(self._missing, (block.position, block.end))

    def finish(self, block: Block) -> None:
        """The body of unknown length ended: the file is as long as what came."""
        self.total = block.end = block.position
        self._in_hand.discard(block)

    def here(self) -> Sequence[Range]:
        """The ranges that are here, in order, merged."""
        absent = sorted([*self._missing, *((block.position, block.end) for block in self._in_hand)])
        ranges, edge = [], 0
        for start, end in absent:
            if start > edge:
                ranges.append((edge, start))
            if end is None:
                return ranges
            edge = end
        if self.total is not None and self.total > edge:
            ranges.append((edge, self.total))
        return ranges
