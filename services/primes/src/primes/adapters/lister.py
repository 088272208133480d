"""Lists of primes, a page or a stream at a time. The kernel is loaded with the first of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from primes.contract import InvalidJob, Limits

__all__ = ["Lister"]

WINDOW = 1_000_000  # numbers looked through at a time
PORTABLE = 10**15  # where the kernels end that are always there


class Lister:
    """For the shell's one event loop; what computes runs on a thread, one list at a time."""

    def __init__(self, limits: Limits, kernel: str, most: int) -> None:
        self._limits, self._name, self._most = limits, kernel, most
        self._turn = asyncio.Lock()
        self._kernel: Any = None

    def require(self, lo: int, hi: int) -> None:
        """Raise InvalidJob, with the limit, for a list too long or a range that is none."""
        if not 0 <= lo <= hi <= self._limits.largest:
            raise InvalidJob(
                f"{lo:,} to {hi:,} is no range within 0 to {self._limits.largest:,}: 0 <= lo <= hi"
            )
        if hi - lo > self._most:
            raise InvalidJob(
                f"{hi - lo:,} numbers are more than the {self._most:,} that one list may go through"
            )
        if hi > PORTABLE and hi > self._loaded().ceiling:
            kernel = self._loaded()
            raise InvalidJob(
                f"lists end at {kernel.ceiling:,} here, with the kernel {kernel.name}; primesieve goes to 2^63"
            )

    async def page(self, lo: int, hi: int, limit: int) -> tuple[list[int], int | None]:
        """The first `limit` primes, and where to go on; None when these are all."""
        found: list[int] = []
        async for primes in self.stream(lo, hi):
            found += primes
            if len(found) > limit:
                return found[:limit], found[limit]
        return found, None

    async def stream(self, lo: int, hi: int) -> AsyncIterator[list[int]]:
        """All of them, in pieces, as fast as they are taken."""
        for start in range(lo, hi, WINDOW):
            async with self._turn:  # not while somebody reads slowly what was found
                found = await asyncio.to_thread(self._primes, start, min(hi, start + WINDOW))
            yield found

    def _primes(self, lo: int, hi: int) -> list[int]:
        return [int(prime) for chunk in self._loaded().chunks(lo, hi) for prime in chunk.tolist()]

    def _loaded(self) -> Any:
        if self._kernel is None:
            from primes.adapters.kernels import available, choose

            found = available(self._name)
            self._kernel = choose("numpy" if found == "numba" else found)  # a page is not worth compiling for
        return self._kernel
