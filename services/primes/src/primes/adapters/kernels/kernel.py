"""The interface of a kernel, and what is made of it for each kind of question."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from primes.contract import Kind, Part, Tile

__all__ = ["Array", "Kernel", "KernelUnavailable", "measure"]

type Array = np.ndarray[Any, np.dtype[np.uint64]]
LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


class KernelUnavailable(Exception):
    """A kernel cannot run here; the text says what it needs."""


class Kernel(Protocol):
    """Finds primes in [lo, hi), with hi at most `ceiling`. Not for two threads at once."""

    @property
    def name(self) -> str: ...
    @property
    def ceiling(self) -> int: ...
    def count(self, lo: int, hi: int) -> int:
        """How many there are."""

    def chunks(self, lo: int, hi: int) -> Iterator[Array]:
        """All of them, in order, in pieces that fit in memory; a piece may be empty."""


def measure(kernel: Kernel, tile: Tile) -> Part:
    """What `tile` asks. Raises ValueError beyond the kernel's ceiling."""
    if tile.hi > kernel.ceiling:
        raise ValueError(f"{tile.hi:,} is beyond {kernel.ceiling:,}, the ceiling of the kernel {kernel.name}")
    if tile.rank:
        return Part(count=1, last=_ranked(kernel, tile))
    if tile.kind in (Kind.COUNT, Kind.NTH):
        return Part(count=kernel.count(tile.lo, tile.hi))
    if tile.kind is Kind.SUM:
        return _summed(kernel, tile)
    return _neighbours(kernel, tile)


def _ranked(kernel: Kernel, tile: Tile) -> int:
    rank = tile.rank
    for found in kernel.chunks(tile.lo, tile.hi):
        if rank <= len(found):
            return int(found[rank - 1])
        rank -= len(found)
    raise ValueError(f"there are fewer than {tile.rank} primes from {tile.lo} to {tile.hi}")


def _summed(kernel: Kernel, tile: Tile) -> Part:
    """In halves of 32 bits: 10^6 primes near 10^15 do not fit 64 bits."""
    count = total = 0
    for found in kernel.chunks(tile.lo, tile.hi):
        count += len(found)
        total += (int((found >> HALF).sum()) << 32) + int((found & LOW).sum())
    return Part(count=count, total=total)


def _neighbours(kernel: Kernel, tile: Tile) -> Part:
    count = twins = first = last = gap = gap_at = 0
    for found in kernel.chunks(tile.lo, tile.hi):
        if not len(found):
            continue
        first = first or int(found[0])
        joined = np.concatenate((np.array([last], np.uint64), found)) if last else found
        gaps = np.diff(joined)
        twins += int(np.count_nonzero(gaps == 2))
        if len(gaps) and int(gaps.max()) > gap:
            gap, gap_at = int(gaps.max()), int(joined[gaps.argmax()])
        count, last = count + len(found), int(found[-1])
    return Part(count=count, twins=twins, first=first, last=last, gap=gap, gap_at=gap_at)
