"""Claims that can be run: `lab experiment M2`."""

from primes.experiments.amdahl import AMDAHL
from primes.experiments.prefetch import PREFETCH
from primes.experiments.split import SPLIT

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (AMDAHL, SPLIT, PREFETCH)
