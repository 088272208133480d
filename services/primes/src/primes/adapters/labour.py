"""What a worker process of Celery does with an order, whoever brought it and however often."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from primes.adapters.kernels import Kernel, KernelUnavailable, measure
from primes.adapters.remote import Telegraph
from primes.contract import Happened, News, Order

__all__ = ["Labour"]

BEAT = 0.5  # seconds between two signs of life


class Labour:
    """One for each process. A tile is begun `attempts` times at most, whoever brings it: so none kills them all.

    `kernel` is called when first needed, since it may have to be imported and compiled. `count(outcome, seconds)`.
    """

    def __init__(
        self,
        telegraph: Telegraph,
        kernel: Callable[[], Kernel],
        name: str,
        attempts: int,
        count: Callable[[str, float], None],
    ) -> None:
        self._telegraph, self._make = telegraph, kernel
        self._kernel: Kernel | None = None
        self._name, self._attempts, self._count = name, attempts, count
        self._order: Order | None = None
        threading.Thread(target=self._beat, name="beat", daemon=True).start()

    def do(self, order: Order, deadly: bool = False) -> None:
        """Compute, write once, tell. Raises RedisError: nothing is heard of the order then, and its lease ends."""
        attempt = self._telegraph.attempt(order)
        if attempt < 0:
            return self._count("unwanted", 0.0)
        if self._telegraph.known(order):
            self._count("known", 0.0)
            return self._tell(Happened.DONE, order)
        if attempt > self._attempts:
            self._count("poison", 0.0)
            return self._tell(
                Happened.LOST, order, reason=f"it was begun {self._attempts} times and never ended"
            )
        self._tell(Happened.BEGAN, order)
        if deadly and attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        self._compute(order)

    def _compute(self, order: Order) -> None:
        self._order = order
        try:
            kernel = self._kernel = self._kernel or self._make()
            began = time.perf_counter()
            part = measure(kernel, order.tile)
        except (ValueError, MemoryError, KernelUnavailable) as error:
            self._count("failed", 0.0)
            return self._tell(Happened.FAILED, order, reason=str(error))
        finally:
            self._order = None
        seconds = time.perf_counter() - began
        self._count("done" if self._telegraph.write(order, part) else "late", seconds)
        self._tell(Happened.DONE, order, seconds)

    def _tell(self, what: Happened, order: Order, seconds: float = 0.0, reason: str = "") -> None:
        self._telegraph.tell(News(what, order, self._name, seconds, reason))

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT)
            order = self._order
            if order:
                with suppress(RedisError):  # a lease outlasts a few of these
                    self._tell(Happened.ALIVE, order)
