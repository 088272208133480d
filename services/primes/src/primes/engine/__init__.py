"""THE LESSON: workers that may die at any moment compute tiles, and each tile is counted once.

Users change what jobs are meant to be, under one lock (`jobs`). One thread, which never waits with the lock held,
makes it so: it owns boards, leases and the crew (`coordinator`). The `calculator` puts both together.
"""

from primes.engine.calculator import PrimeCalculator

__all__ = ["PrimeCalculator"]
