"""A segmented sieve compiled by numba: a byte holds the eight numbers of thirty that 2, 3 and 5 do not divide.

The smallest primes come as ready patterns. Small ones are crossed off block by block in the L1 cache, middle ones
segment by segment in the L2 cache, each with eight cursors, one for each residue. A large prime hits a segment
seldom: it waits in the bucket of the segment that it hits next (Oliveira e Silva, Fast implementation of the
segmented sieve of Eratosthenes, 2002).
"""

import math
from collections.abc import Iterator

import numpy as np

from primes.adapters.kernels.by_numpy import primes_below
from primes.adapters.kernels.kernel import Array, KernelUnavailable

try:
    from primes.adapters.kernels import wheel
except ImportError as error:
    raise KernelUnavailable(f"numba is not installed: {error}") from error

__all__ = ["NumbaKernel"]

LOWEST = (2, 3, 5)
CHUNK = 1 << 20  # bytes that are turned into numbers at a time: at most some 8 MiB of them, usually far fewer


class NumbaKernel:
    """Keeps the sieving primes of the largest range it has seen: 16 MB for 10^15."""

    name, ceiling = "numba", 10**15

    def __init__(self) -> None:
        self._base, self._reach = primes_below(1000), 1000

    def count(self, lo: int, hi: int) -> int:
        few = sum(lo <= prime < hi for prime in LOWEST)
        return few + int(wheel.count(lo, hi, self._sieving(hi))) if lo < hi else 0

    def chunks(self, lo: int, hi: int) -> Iterator[Array]:
        yield np.array([prime for prime in LOWEST if lo <= prime < hi], np.uint64)
        base = self._sieving(hi)
        for start in range(lo, hi, CHUNK * wheel.SPAN):
            end = min(hi, start + CHUNK * wheel.SPAN)
            yield wheel.numbers(start, end, base)

    def _sieving(self, hi: int) -> np.ndarray:
        root = math.isqrt(max(hi, 1)) + 1
        if root > self._reach:
            self._base, self._reach = primes_below(root), root
        return self._base[: np.searchsorted(self._base, root, side="right")]
