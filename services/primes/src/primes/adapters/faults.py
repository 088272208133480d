"""M2's faults, wrapped around the crew: what can happen between an order and its news."""

import time
from collections.abc import Sequence

from lab_kit.faults import Fault, Faults
from primes.contract import Happened, News, Order
from primes.metrics import InnerCrew

__all__ = ["FAULTS", "FaultyCrew"]

FAULTS = (
    Fault("kill-worker", "probability", "the worker process that begins an order is killed"),
    Fault("lost-order", "probability", "an order never arrives: as if a whole machine had gone with it"),
    Fault("lost-news", "probability", "nobody hears that a tile is done"),
    Fault("double-order", "probability", "an order is delivered twice"),
    Fault("slow-orders", "seconds", "giving an order takes so much longer: coordination becomes dear", 1.0),
)


class FaultyCrew:
    """A crew with all of them."""

    def __init__(self, inner: InnerCrew, faults: Faults) -> None:
        self._inner, self._faults = inner, faults
        self.size, self.present = inner.size, inner.present
        self.interrupt, self.close = inner.interrupt, inner.close

    def give(self, order: Order, deadly: bool = False) -> None:
        if self._faults.fired("slow-orders"):
            time.sleep(self._faults.magnitude("slow-orders"))
        if self._faults.drawn("lost-order"):
            return
        self._inner.give(order, deadly or self._faults.drawn("kill-worker"))
        if self._faults.drawn("double-order"):
            self._inner.give(order)

    def news(self, timeout: float) -> Sequence[News]:
        return [
            news
            for news in self._inner.news(timeout)
            if news.happened is not Happened.DONE or not self._faults.drawn("lost-news")
        ]
