"""A segmented sieve of odd numbers, one byte each: slow, and available wherever numpy is."""

import math
from collections.abc import Iterator

import numpy as np

from primes.adapters.kernels.kernel import Array

__all__ = ["NumpyKernel", "primes_below"]

ODDS = 1 << 20  # a segment: 1 MiB, about the size of an L2 cache


class NumpyKernel:
    """Keeps the sieving primes of the largest range it has seen."""

    name, ceiling = "numpy", 10**15

    def __init__(self) -> None:
        self._base, self._reach = primes_below(1000), 1000

    def count(self, lo: int, hi: int) -> int:
        return (lo <= 2 < hi) + sum(int(np.count_nonzero(flags)) for _, flags in self._segments(lo, hi))

    def chunks(self, lo: int, hi: int) -> Iterator[Array]:
        if lo <= 2 < hi:
            yield np.array([2], np.uint64)
        for start, flags in self._segments(lo, hi):
            yield np.flatnonzero(flags).astype(np.uint64) * np.uint64(2) + np.uint64(start)

    def _segments(self, lo: int, hi: int) -> Iterator[tuple[int, np.ndarray]]:
        """The first odd number of each segment, and its flags: true for a prime."""
        base = self._sieving_primes(hi)
        for start in range(max(lo, 3) | 1, hi, 2 * ODDS):
            yield start, _sieved(start, min(ODDS, (hi - start + 1) // 2), base)

    def _sieving_primes(self, hi: int) -> np.ndarray:
        root = math.isqrt(max(hi, 1)) + 1
        if root > self._reach:
            self._base, self._reach = primes_below(root), root
        return self._base[: np.searchsorted(self._base, root, side="right")]


def primes_below(limit: int) -> np.ndarray:
    """All odd primes below `limit`, by Eratosthenes."""
    flags = np.ones(limit // 2, bool)
    flags[:1] = False
    for number in range(3, math.isqrt(limit) + 1, 2):
        if flags[number // 2]:
            flags[number * number // 2 :: number] = False
    return np.flatnonzero(flags).astype(np.int64) * 2 + 1


def _sieved(start: int, odds: int, base: np.ndarray) -> np.ndarray:
    """The odd numbers from `start` on. Primes wider than the segment hit it once at most: all at the same time."""
    flags = np.ones(odds, bool)
    end = start + 2 * odds
    within = base[base * base < end]
    first = np.maximum(within * within, -(-start // within) * within)
    first += np.where(first % 2 == 0, within, 0)
    at = (first - start) // 2
    narrow = np.searchsorted(within, odds)
    for prime, begin in zip(within[:narrow].tolist(), at[:narrow].tolist(), strict=True):
        flags[begin::prime] = False
    wide = at[narrow:]
    flags[wide[wide < odds]] = False
    return flags
