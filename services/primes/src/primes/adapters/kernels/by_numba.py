"""A segmented sieve compiled by numba: a byte holds the eight numbers of thirty that 2, 3 and 5 do not divide.

The smallest primes come as ready patterns. Small ones are crossed off block by block in the L1 cache, middle ones
segment by segment in the L2 cache, each with eight cursors, one for each residue. A large prime hits a segment
seldom: it waits in the bucket of the segment that it hits next (Oliveira e Silva, Fast implementation of the
segmented sieve of Eratosthenes, 2002).
"""

import importlib.util
import math
from collections.abc import Iterator
from functools import cache
from types import ModuleType

import numpy as np

from primes.adapters.kernels.by_numpy import NumpyKernel, primes_below
from primes.adapters.kernels.kernel import Array, KernelUnavailable

__all__ = ["NumbaKernel"]

LOWEST = (2, 3, 5)
CHUNK = 30 << 20  # numbers looked through at a time; the primes among them are 16 MB at most
NARROW, NEAR = 1 << 23, 10**10


class NumbaKernel:
    """Keeps the sieving primes of the largest range it has seen: 16 MB for 10^15.

    What is compiled takes 100 MB and, the first time on a machine, some seconds. So narrow ranges that are not far
    out are left to numpy, until a wide one has come.
    """

    name, ceiling = "numba", 10**15

    def __init__(self) -> None:
        if importlib.util.find_spec("numba") is None:
            raise KernelUnavailable("numba is not installed: it comes with lab-primes[compute]")
        self._base, self._reach = primes_below(1000), 1000
        self._plain: NumpyKernel | None = NumpyKernel()

    def count(self, lo: int, hi: int) -> int:
        if self._plain and hi - lo <= NARROW and hi <= NEAR:
            return self._plain.count(lo, hi)
        self._plain = None
        few = sum(lo <= prime < hi for prime in LOWEST)
        return few + int(_wheel().count(lo, hi, self._sieving(hi))) if lo < hi else 0

    def chunks(self, lo: int, hi: int) -> Iterator[Array]:
        if self._plain and hi - lo <= NARROW and hi <= NEAR:
            yield from self._plain.chunks(lo, hi)
            return
        self._plain = None
        yield np.array([prime for prime in LOWEST if lo <= prime < hi], np.uint64)
        base = self._sieving(hi)
        for start in range(lo, hi, CHUNK):
            yield _wheel().numbers(start, min(hi, start + CHUNK), base)

    def _sieving(self, hi: int) -> np.ndarray:
        root = math.isqrt(max(hi, 1)) + 1
        if root > self._reach:
            self._base, self._reach = primes_below(root), root
        return self._base[: np.searchsorted(self._base, root, side="right")]


@cache
def _wheel() -> ModuleType:
    from primes.adapters.kernels import wheel

    return wheel
