"""What finds primes: libprimesieve where it is installed, else numba, else numpy. All behind one interface."""

from primes.adapters.kernels.choice import KERNELS, available, choose
from primes.adapters.kernels.kernel import Kernel, KernelUnavailable, measure

__all__ = ["KERNELS", "Kernel", "KernelUnavailable", "available", "choose", "measure"]
