"""Settings of M2, from the environment: one set for the service and for its workers."""

import os
from typing import Literal

from pydantic import Field

from lab_kit.settings import ServiceSettings
from primes.adapters.confine import MEBIBYTES
from primes.contract import Limits


class Settings(ServiceSettings):
    """Frozen; see `ServiceSettings`. `primes_workers` are processes, of the local crew or of a Celery worker, with
    `primes_process_memory` MiB each.
    """

    port: int = Field(default=8004, ge=0, le=65535)
    primes_crew: Literal["processes", "celery"] = "processes"
    primes_workers: int = Field(default=max(1, min(os.cpu_count() or 1, 8)), ge=1, le=256)
    primes_kernel: Literal["auto", "primesieve", "numba", "numpy"] = "auto"
    primes_process_memory: int = Field(default=MEBIBYTES, ge=128, le=1 << 20)
    primes_queue: int = Field(default=1000, ge=1, le=100_000)
    primes_lease: float = Field(default=2.0, ge=1.0, le=600.0)
    primes_attempts: int = Field(default=3, ge=1, le=100)
    primes_ahead: int = Field(default=2, ge=1, le=64)
    primes_prefetch: int = Field(default=1, ge=1, le=64)
    primes_tile: int = Field(default=1 << 22, ge=1000, le=10**12)
    primes_largest: int = Field(default=10**15, ge=1000, le=2**63)
    primes_widest: int = Field(default=10**13, ge=1000, le=2**63)
    primes_list: int = Field(default=10_000_000, ge=1, le=10**10)

    @property
    def limits(self) -> Limits:
        return Limits(
            workers=self.primes_workers,
            jobs=self.primes_queue,
            lease=self.primes_lease,
            attempts=self.primes_attempts,
            ahead=self.primes_ahead,
            tile=self.primes_tile,
            largest=self.primes_largest,
            widest=self.primes_widest,
        )
