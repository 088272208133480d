"""When to try again."""

from dataclasses import dataclass
from random import Random

from downloader.contract import Limits, TransferError

LARGEST_EXPONENT = 64


@dataclass(slots=True)
class Backoff:
    """Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", 2015) and a total cap.

    The exponent and the total begin anew with every byte of progress; `count` never does, so that a server
    that gives one byte a connection is not asked for ever.
    """

    count: int = 0
    _exponent: int = 0
    _waited: float = 0.0

    def progressed(self) -> None:
        self._exponent, self._waited = 0, 0.0

    def delay(self, error: TransferError, limits: Limits, random: Random) -> float | None:
        """Seconds to wait after `error`, at least its Retry-After; None when it is time to give up."""
        ceiling = min(limits.retry_cap, limits.retry_base * 2.0**self._exponent)
        delay = max(random.uniform(0.0, ceiling), error.retry_after or 0.0)
        if not error.retryable or self.count >= limits.retries or self._waited + delay > limits.retry_total:
            return None
        self.count += 1
        self._exponent = min(self._exponent + 1, LARGEST_EXPONENT)
        self._waited += ceiling if error.retry_after is None else delay
        return delay

    def explain(self, error: TransferError, limits: Limits) -> str:
        """The text of `error`, and why it was not tried again."""
        if not error.retryable:
            return str(error)
        if error.retry_after is not None and error.retry_after > limits.retry_total - self._waited:
            return f"{error}, and asks to wait {error.retry_after:.0f} s: longer than we do"
        return f"{error}; given up after {self.count} retries" if self.count else str(error)
