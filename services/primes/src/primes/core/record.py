"""A part as bytes of a fixed size, for shared memory: a row is `ready`, then the fields of the part."""

import struct

from primes.contract import Part

__all__ = ["READY", "SIZE", "pack", "unpack"]

_ROW = struct.Struct("<9Q")
SIZE = _ROW.size
READY = struct.pack("<Q", 1)
"""Written over the first bytes of a row, last of all: a row without it is no part yet."""
_LOW = 2**64 - 1


def pack(part: Part) -> bytes:
    """`part` as a row that is not ready yet. Its `total` has up to 128 bits, every other field 64."""
    high, low = part.total >> 64, part.total & _LOW
    return _ROW.pack(0, part.count, high, low, part.twins, part.first, part.last, part.gap, part.gap_at)


def unpack(row: bytes) -> Part | None:
    """The part in `row`; None while it is not ready."""
    ready, count, high, low, twins, first, last, gap, gap_at = _ROW.unpack(row)
    return Part(count, high << 64 | low, twins, first, last, gap, gap_at) if ready else None
