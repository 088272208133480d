"""A set of URLs in nine bytes each or so: fingerprints in one array, open addressing."""

from array import array
from hashlib import blake2b

__all__ = ["Seen", "fingerprint"]


ALL = (1 << 64) - 1


def fingerprint(url: str) -> int:
    """64 bits, never 0. Among ten million URLs two are taken for one with a probability of 3 in a million."""
    return int.from_bytes(blake2b(url.encode(), digest_size=8).digest()) or 1


class Seen:
    """Which URLs were added. Grows by doubling when two thirds full: 12 to 24 bytes for each URL."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, url: str) -> bool:
        """Whether `url` is new."""
        # Python's own hash: 64 bits too, with a secret of the process, and a string computes it once.
        mark = hash(url) & ALL or 1
        slots, mask = self._slots, len(self._slots) - 1
        place = mark & mask
        while found := slots[place]:
            if found == mark:
                return False
            place = (place + 1) & mask
        slots[place] = mark
        self._count += 1
        if 3 * self._count > 2 * len(self._slots):
            self._grow()
        return True

    def _grow(self) -> None:
        old, slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        mask = len(slots) - 1
        for mark in filter(None, old):
            place = mark & mask
            while slots[place]:
                place = (place + 1) & mask
            slots[place] = mark
        self._slots = slots
