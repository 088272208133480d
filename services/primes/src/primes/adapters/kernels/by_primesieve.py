"""Kim Walisch's primesieve, through ctypes: the calls release the GIL. <https://github.com/kimwalisch/primesieve>"""

import ctypes
import ctypes.util
import errno
import os
from collections.abc import Iterator
from glob import glob

import numpy as np

from primes.adapters.kernels.kernel import Array, KernelUnavailable

__all__ = ["PrimesieveKernel"]

UINT64_PRIMES = 13  # of primesieve.h
ERROR = 2**64 - 1
STEP = 20_000_000  # numbers a chunk


class PrimesieveKernel:
    """libprimesieve with one thread: the workers are the threads. `PRIMESIEVE_LIBRARY` names another file."""

    name, ceiling = "primesieve", 2**63

    def __init__(self) -> None:
        self._library = _library()
        self._library.primesieve_set_num_threads(1)

    def count(self, lo: int, hi: int) -> int:
        if lo >= hi:
            return 0
        count: int = self._library.primesieve_count_primes(lo, hi - 1)
        _check(count == ERROR)
        return count

    def chunks(self, lo: int, hi: int) -> Iterator[Array]:
        for start in range(lo, hi, STEP):
            yield self._primes(start, min(start + STEP, hi))

    def _primes(self, lo: int, hi: int) -> Array:
        size = ctypes.c_size_t()
        ctypes.set_errno(0)
        address = self._library.primesieve_generate_primes(lo, hi - 1, ctypes.byref(size), UINT64_PRIMES)
        _check(not address and ctypes.get_errno() == errno.EDOM)
        if not size.value:
            return np.empty(0, np.uint64)
        try:
            held = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint64))
            return np.ctypeslib.as_array(held, (size.value,)).copy()
        finally:
            self._library.primesieve_free(address)


def _check(failed: bool) -> None:
    """Lack of memory is the library's only trouble with a range that is one."""
    if failed:
        raise MemoryError(
            "libprimesieve needs more memory than a process may have: PRIMES_PROCESS_MEMORY, in MiB"
        )


def _library() -> ctypes.CDLL:
    for name in _candidates():
        try:
            return _declared(ctypes.CDLL(name, use_errno=True))
        except (OSError, AttributeError):
            continue
    raise KernelUnavailable("libprimesieve is not installed: the package is called primesieve")


def _candidates() -> Iterator[str]:
    """`find_library` asks a compiler or ldconfig, which a small image does not have: look ourselves, too."""
    chosen = os.environ.get("PRIMESIEVE_LIBRARY")
    if chosen:
        yield chosen
        return
    found = ctypes.util.find_library("primesieve")
    if found:
        yield found
    yield from sorted(glob("/usr/lib/*/libprimesieve.so*"))


def _declared(library: ctypes.CDLL) -> ctypes.CDLL:
    number = ctypes.c_uint64
    library.primesieve_count_primes.argtypes, library.primesieve_count_primes.restype = (
        (number, number),
        number,
    )
    library.primesieve_generate_primes.argtypes = (
        number, number, ctypes.POINTER(ctypes.c_size_t), ctypes.c_int,
    )  # fmt: skip
    library.primesieve_generate_primes.restype = ctypes.c_void_p
    library.primesieve_free.argtypes, library.primesieve_free.restype = (ctypes.c_void_p,), None
    library.primesieve_set_num_threads.argtypes = (ctypes.c_int,)
    return library
