"""What the files hold: bytes that follow from a seed, at any offset, without storing any file.

There is one pseudo-random pattern of prime length P for each seed. Byte i of a file is
`pattern[(i + rotation) % P]`, where the rotation is a hash of what the file is. As P is prime, a block
that was put at a wrong multiple of any block size never looks right by accident.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache

from lab.origin.problems import BadInput

PERIOD = 2**23 - 15
"""Length of the pattern in bytes: the largest prime below 8 MiB."""

LARGEST = 2**40
"""Size limit of a file in bytes (1 TiB)."""

NEWEST_VERSION = 1_000_000

_PIECE = 1 << 20
_UNITS = {"": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
_SIZE = re.compile(r"([0-9]{1,15})([KMGT]iB)?", re.ASCII)
_EPOCH = int(datetime(2021, 1, 1, tzinfo=UTC).timestamp())
_YEAR = 365 * 86_400


def parse_size(text: str) -> int:
    """Return the bytes meant by `0`, `1500`, `64KiB` or `2GiB`. Raises BadInput."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise BadInput(f"{text!r} is not a size: write bytes (1500) or whole KiB, MiB, GiB or TiB (64KiB)")
    size = int(match[1]) << _UNITS[match[2] or ""]
    if size > LARGEST:
        raise BadInput(f"{text!r} is too large: the limit is 1TiB")
    return size


def domain_of(host: str) -> str:
    """Return the domain a Host header names: `<name>.lab.test` (RFC 6761), or `default` for any other."""
    name = host.lower().partition(":")[0]
    return name if name.endswith(".lab.test") else "default"


@lru_cache(maxsize=4)
def pattern(seed: int) -> int:
    """Return a descriptor of an unnamed file that holds the pattern. Shared: use only positioned reads."""
    data = hashlib.shake_128(f"concurrency-lab/{seed}".encode()).digest(PERIOD)
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("origin-pattern")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.truncate(fd, PERIOD)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    return fd


@dataclass(frozen=True)
class File:
    """One version of one file. Immutable; `read` may be called from any number of threads."""

    seed: int
    domain: str
    path: str
    size: int
    version: int = 0

    @cached_property
    def _hash(self) -> bytes:
        identity = f"{self.seed}\n{self.domain}\n{self.path}\n{self.version}"
        return hashlib.blake2b(identity.encode(), digest_size=24).digest()

    @cached_property
    def tag(self) -> str:
        """An opaque validator without quotes; ends in the version, to tell versions apart in a test."""
        return f"{self._hash[8:16].hex()}-{self.version}"

    @cached_property
    def modified(self) -> int:
        """When it changed last, in seconds since the epoch: in the past, later for each version."""
        stem = File(self.seed, self.domain, self.path, self.size)
        return _EPOCH + int.from_bytes(stem._hash[16:]) % _YEAR + 60 * self.version

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield (offset in the pattern, count) for the bytes from start up to, not including, stop."""
        at = (start + int.from_bytes(self._hash[:8])) % PERIOD
        left = stop - start
        while left > 0:
            count = min(left, PERIOD - at)
            yield at, count
            left -= count
            at = 0

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from start up to, not including, stop; both within the file."""
        if not 0 <= start <= stop <= self.size:
            raise ValueError(f"bytes {start} to {stop} are not within a file of {self.size} bytes")
        return b"".join(os.pread(self.descriptor, count, at) for at, count in self.pieces(start, stop))

    @property
    def descriptor(self) -> int:
        """The file descriptor that `pieces` refers to."""
        return pattern(self.seed)

    def feed(self, update: Callable[[bytes], object], start: int, stop: int) -> None:
        """Pass the bytes from start up to stop, or the end, to a hash's `update`, in pieces."""
        for at in range(start, min(stop, self.size), _PIECE):
            update(self.read(at, min(at + _PIECE, stop, self.size)))


def read(seed: int, domain: str, path: str, size: int, version: int, start: int, stop: int) -> bytes:
    """Return bytes of a file as the origin serves them; `domain` as from `domain_of`."""
    return File(seed, domain, path, size, version).read(start, stop)


def digest(seed: int, domain: str, path: str, size: int, version: int = 0) -> str:
    """Return the SHA-256 in hex of a file as the origin serves it; `domain` as from `domain_of`.

    About a second a GiB; releases the GIL while hashing.
    """
    state = hashlib.sha256()
    File(seed, domain, path, size, version).feed(state.update, 0, size)
    return state.hexdigest()
