"""Which kernel runs: the fastest that is there, or the one that was asked for. Nothing is imported before."""

import importlib

from primes.adapters.kernels.kernel import Kernel, KernelUnavailable

__all__ = ["KERNELS", "available", "choose"]

KERNELS = {"primesieve": "PrimesieveKernel", "numba": "NumbaKernel", "numpy": "NumpyKernel"}
"""Fastest first. The module and the class in it."""


def choose(wanted: str = "auto") -> Kernel:
    """The kernel called `wanted`; `auto` is the first that is available. Raises KernelUnavailable."""
    if wanted != "auto":
        return _made(wanted)
    for name in KERNELS:
        try:
            return _made(name)
        except KernelUnavailable:
            continue
    raise KernelUnavailable(f"none of {', '.join(KERNELS)} can run here")


def available(wanted: str = "auto") -> str:
    """The name of the kernel that `choose` would take, which loads numba when it is needed. Raises as `choose`."""
    return choose(wanted).name


def _made(name: str) -> Kernel:
    if name not in KERNELS:
        raise KernelUnavailable(f"no kernel {name!r}: there are {', '.join(KERNELS)}, and auto")
    module = importlib.import_module(f"primes.adapters.kernels.by_{name}")
    kernel: Kernel = getattr(module, KERNELS[name])()
    return kernel
