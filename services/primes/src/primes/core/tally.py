"""Puts the parts of a job together. Each tile counts once, however often its part comes."""

from collections.abc import Mapping, Sequence

from primes.contract import Job, Kind, Part, Tile

__all__ = ["Tally", "imbalance", "merged"]


class Tally:
    """What is known of a job. Not thread-safe: whoever owns it calls it."""

    def __init__(self, job: Job, tiles: Sequence[Tile]) -> None:
        self.job, self.tiles = job, list(tiles)
        self._parts: dict[Tile, Part] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, tile: Tile) -> bool:
        return tile in self._parts

    def add(self, tile: Tile, part: Part) -> bool:
        """Count `tile`; False, and nothing changes, if it is counted already."""
        if tile in self._parts:
            return False
        self._parts[tile] = part
        return True

    def owed(self) -> Tile | None:
        """The tile with the n-th prime, to be looked through once more: when all are counted, and only once."""
        searched = bool(self.tiles) and self.tiles[-1].rank > 0
        if self.job.kind is not Kind.NTH or searched or not self.complete:
            return None
        rank = self.job.rank
        for tile in self.tiles:
            if rank <= self._parts[tile].count:
                self.tiles.append(Tile(len(self.tiles), tile.lo, tile.hi, Kind.NTH, rank))
                return self.tiles[-1]
            rank -= self._parts[tile].count
        return None

    @property
    def complete(self) -> bool:
        return len(self._parts) == len(self.tiles)

    def answer(self) -> Mapping[str, int]:
        """The answer to a complete job, by its kind; a gap of 0 or a prime of 0 is one that is not there."""
        parts = [self._parts[tile] for tile in self.tiles if not tile.rank]
        whole = merged(parts)
        found = next((self._parts[tile].last for tile in self.tiles if tile.rank), 0)
        return {
            Kind.COUNT: {"count": whole.count},
            Kind.SUM: {"sum": whole.total, "count": whole.count},
            Kind.TWINS: {"twins": whole.twins, "count": whole.count},
            Kind.GAP: {"gap": whole.gap, "after": whole.gap_at, "count": whole.count},
            Kind.NTH: {"prime": found, "rank": self.job.rank},
        }[self.job.kind]


def merged(parts: Sequence[Part]) -> Part:
    """One part of adjacent ones, in order: what lies between two of them belongs to neither."""
    whole = Part()
    for part in parts:
        whole = _joined(whole, part)
    return whole


def _joined(left: Part, right: Part) -> Part:
    between = right.first - left.last if left.last and right.first else 0
    gap, at = max(
        ((left.gap, left.gap_at), (between, left.last), (right.gap, right.gap_at)),
        key=lambda found: (found[0], -found[1]),
    )
    return Part(
        count=left.count + right.count,
        total=left.total + right.total,
        twins=left.twins + right.twins + (between == 2),
        first=left.first or right.first,
        last=right.last or left.last,
        gap=gap,
        gap_at=at if gap else 0,
    )


def imbalance(busy: Mapping[str, float]) -> float:
    """How much longer the busiest worker computed than the average one: 0 is even, 1 is twice as long."""
    mean = sum(busy.values()) / len(busy) if busy else 0.0
    return max(busy.values()) / mean - 1 if mean else 0.0
