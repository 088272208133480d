"""The compiled part of the numba kernel. What is compiled stays on the disk, so only the first worker compiles.

Bit j of byte k of a segment that begins at byte `first` is the number 30 * (first + k) + RESIDUES[j].
"""

import numpy as np
from numba import njit

__all__ = ["SPAN", "count", "numbers"]

SPAN = 30
RESIDUES = np.array([1, 7, 11, 13, 17, 19, 23, 29], np.int64)
GAPS = np.array([6, 4, 2, 4, 2, 4, 6, 2], np.int64)
INDEX = np.full(SPAN, -1, np.int64)
INDEX[RESIDUES] = np.arange(8)
# By the residues of a prime and of its cofactor: which bit goes, and how many bytes are skipped more.
CLEAR = np.array([[0xFF ^ (1 << INDEX[p * q % SPAN]) for q in RESIDUES] for p in RESIDUES], np.uint8)
CARRY = np.array(
    [
        [p * (q + gap) // SPAN - p * q // SPAN for q, gap in zip(RESIDUES, GAPS, strict=True)]
        for p in RESIDUES
    ],
    np.int64,
)
POPULATION = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)

BLOCK, SEGMENT, SMALL = 1 << 15, 1 << 18, 1 << 12
NODE = 1 << 10  # entries that a bucket takes at a time
GROUPS = ((7, 11, 13), (17, 19), (23, 29), (31, 37), (41, 43), (47, 53), (59, 61), (67, 71), (73, 79), (83, 89),
          (97, 101), (103, 107), (109, 113), (127, 131), (137, 139), (149, 151), (157, 163))  # fmt: skip
FIRST_SIEVED = 167


def _patterns() -> tuple[np.ndarray, np.ndarray]:
    """The patterns of all groups, one after another, and where each begins."""
    made, starts = [], [0]
    for group in GROUPS:
        length = int(np.prod(group))
        flags = np.full(length, 0xFF, np.uint8)
        for bit, residue in enumerate(RESIDUES):
            values = np.arange(length, dtype=np.int64) * SPAN + residue
            hit = np.zeros(length, bool)
            for prime in group:
                hit |= values % prime == 0
            flags[hit] &= 0xFF ^ (1 << bit)
        made.append(flags)
        starts.append(starts[-1] + length)
    return np.concatenate(made), np.array(starts, np.int64)


PATTERNS, STARTS = _patterns()


@njit(cache=True, nogil=True)
def _prepare(segment, first, size, patterns, starts):  # type: ignore[no-untyped-def]
    """Fill with what the smallest primes leave. They themselves come back where the segment has them."""
    for i in range(size):
        segment[i] = 0xFF
    for group in range(len(starts) - 1):
        begin, length = starts[group], starts[group + 1] - starts[group]
        phase, at = first % length, 0
        while at < size:
            run = min(length - phase, size - at)
            left, right = segment[at : at + run], patterns[begin + phase : begin + phase + run]
            for i in range(run):
                left[i] &= right[i]
            at += run
            phase = 0
    if first * SPAN < FIRST_SIEVED:
        _restore(segment, first, size)


@njit(cache=True, nogil=True)
def _restore(segment, first, size):  # type: ignore[no-untyped-def]
    for prime in (7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
                  107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163):  # fmt: skip
        byte = prime // SPAN - first
        if 0 <= byte < size:
            segment[byte] |= 1 << INDEX[prime % SPAN]
    if first == 0:
        segment[0] &= 0xFE  # 1 is no prime


@njit(cache=True, nogil=True)
def _cofactor(prime, first):  # type: ignore[no-untyped-def]
    """The smallest q that is prime to 30, at least `prime`, and with prime * q in byte `first` or later."""
    q = max(prime, (first * SPAN + prime - 1) // prime)
    while INDEX[q % SPAN] < 0:
        q += 1
    return q


@njit(cache=True, nogil=True)
def _cursors(primes, first):  # type: ignore[no-untyped-def]
    """For each prime and residue of the cofactor the first byte that it hits, counted from `first`."""
    found = np.empty((len(primes), 8), np.int64)
    for k in range(len(primes)):
        prime = primes[k]
        q = _cofactor(prime, first)
        for _ in range(8):
            j = INDEX[q % SPAN]
            found[k, j] = prime * q // SPAN - first
            q += GAPS[j]
    return found


@njit(cache=True, nogil=True)
def _cross(part, size, primes, cursors):  # type: ignore[no-untyped-def]
    """Cross off what these primes hit in the first `size` bytes of `part`, and move their cursors past them."""
    for k in range(len(primes)):
        prime = primes[k]
        row = INDEX[prime % SPAN]
        for j in range(8):
            clear, i = CLEAR[row, j], cursors[k, j]
            last = size - 3 * prime
            while i < last:
                part[i] &= clear
                part[i + prime] &= clear
                part[i + 2 * prime] &= clear
                part[i + 3 * prime] &= clear
                i += 4 * prime
            while i < size:
                part[i] &= clear
                i += prime
            cursors[k, j] = i - size


@njit(cache=True, nogil=True)
def _put(entry, bucket, pool, follows, heads, fills, free):  # type: ignore[no-untyped-def]
    """Append to a bucket; a full node is followed by one from the free list, whose head is `free[0]`."""
    if heads[bucket] < 0 or fills[bucket] == NODE:
        node = free[0]
        free[0] = follows[node]
        follows[node] = heads[bucket]
        heads[bucket], fills[bucket] = node, 0
    pool[heads[bucket] * NODE + fills[bucket]] = entry
    fills[bucket] += 1


@njit(cache=True, nogil=True)
def _admit(base, waiting, first, number, ring, pool, follows, heads, fills, free):  # type: ignore[no-untyped-def]
    """Let primes wait whose first hit is within the ring of buckets; returns which one is the first that is not.

    Only squares can be further away, and those come in order.
    """
    while waiting < len(base):
        prime = base[waiting]
        q = _cofactor(prime, first)
        byte = prime * q // SPAN - first
        if byte // SEGMENT - number >= ring:
            return waiting
        place = (byte & (SEGMENT - 1)) << 6 | INDEX[prime % SPAN] << 3 | INDEX[q % SPAN]
        _put((prime // SPAN) << 24 | place, (byte // SEGMENT) % ring, pool, follows, heads, fills, free)
        waiting += 1
    return waiting


@njit(cache=True, nogil=True)
def _empty(segment, number, ring, pool, follows, heads, fills, free):  # type: ignore[no-untyped-def]
    """Cross off what waits for segment `number`, and let each prime wait for the next one that it hits.

    An entry is prime // 30, the byte within the segment, and two residues, in one number.
    """
    bucket = number % ring
    node, filled = heads[bucket], fills[bucket]
    heads[bucket], fills[bucket] = -1, 0
    while node >= 0:
        for at in range(node * NODE, node * NODE + filled):
            entry = pool[at]
            row, j = (entry >> 3) & 7, entry & 7
            byte, thirty = (entry >> 6) & (SEGMENT - 1), entry >> 24
            while byte < SEGMENT:
                segment[byte] &= CLEAR[row, j]
                byte += thirty * GAPS[j] + CARRY[row, j]
                j = (j + 1) & 7
            target = (number + byte // SEGMENT) % ring
            entry = thirty << 24 | (byte & (SEGMENT - 1)) << 6 | row << 3 | j
            _put(entry, target, pool, follows, heads, fills, free)
        after = follows[node]
        follows[node] = free[0]
        free[0] = node
        node, filled = after, NODE


@njit(cache=True, nogil=True)
def _sieve(lo, hi, base, patterns, starts, table, out):  # type: ignore[no-untyped-def]
    """How many primes there are, without 2, 3 and 5; the bytes go to `out`, if it has room for them."""
    first, end = lo // SPAN, (hi - 1) // SPAN + 1
    from_here, middle, large = np.searchsorted(base, (FIRST_SIEVED, SMALL, SEGMENT))
    small, medium = base[from_here : max(from_here, middle)], base[max(from_here, middle) : large]
    near, far = _cursors(small, first), _cursors(medium, first)
    ring = np.int64(4 + (base[-1] // SPAN + 2) * 6 // SEGMENT) if len(base) else np.int64(4)
    nodes = (len(base) - large) // NODE + 2 * ring + 4
    pool, follows = np.empty(nodes * NODE, np.int64), np.arange(1, nodes + 1)
    heads, fills, free = np.full(ring, -1, np.int64), np.zeros(ring, np.int64), np.zeros(1, np.int64)
    waiting = large
    segment, total = np.empty(SEGMENT, np.uint8), 0
    for number in range((end - first + SEGMENT - 1) // SEGMENT):
        here = first + number * SEGMENT
        size = min(SEGMENT, end - here)
        _prepare(segment, here, size, patterns, starts)
        for at in range(0, size, BLOCK):
            _cross(segment[at:], min(BLOCK, size - at), small, near)
        _cross(segment, size, medium, far)
        waiting = _admit(base, waiting, first, number, ring, pool, follows, heads, fills, free)
        _empty(segment, number, ring, pool, follows, heads, fills, free)
        _trim(segment, here, size, lo, hi)
        for i in range(size):
            total += table[segment[i]]
        if len(out):
            out[here - first : here - first + size] = segment[:size]
    return total


@njit(cache=True, nogil=True)
def _trim(segment, here, size, lo, hi):  # type: ignore[no-untyped-def]
    """Take away what is outside [lo, hi) in the first and the last byte."""
    for j in range(8):
        if here * SPAN + RESIDUES[j] < lo:
            segment[0] &= 0xFF ^ (1 << j)
        if (here + size - 1) * SPAN + RESIDUES[j] >= hi:
            segment[size - 1] &= 0xFF ^ (1 << j)


@njit(cache=True, nogil=True)
def _unpacked(out, first, total):  # type: ignore[no-untyped-def]
    found, k = np.empty(total, np.uint64), 0
    for i in range(len(out)):
        byte = out[i]
        for j in range(8):
            if byte >> j & 1:
                found[k] = (first + i) * SPAN + RESIDUES[j]
                k += 1
    return found


def count(lo: int, hi: int, base: np.ndarray) -> int:
    """How many primes above 5 there are in [lo, hi); `base` has all odd primes up to the root of `hi`."""
    return int(_sieve(lo, hi, base, PATTERNS, STARTS, POPULATION, np.empty(0, np.uint8)))


def numbers(lo: int, hi: int, base: np.ndarray) -> np.ndarray:
    """These primes themselves."""
    out = np.empty((hi - 1) // SPAN + 1 - lo // SPAN, np.uint8)
    total = _sieve(lo, hi, base, PATTERNS, STARTS, POPULATION, out)
    found: np.ndarray = _unpacked(out, lo // SPAN, total)
    return found
