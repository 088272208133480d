"""When to try again (Brooker, Exponential Backoff And Jitter, 2015), and when not to (Beyer et al., SRE, 2016)."""

from random import Random

__all__ = ["RetryBudget", "backoff"]


def backoff(failures: int, base: float, cap: float, random: Random) -> float:
    """Seconds to wait after `failures` failures in a row, at least one: full jitter."""
    return random.uniform(0.0, min(cap, base * 2 ** (failures - 1)))


class RetryBudget:
    """Retries may be `share` of the requests, beyond the first `floor`: so they never multiply a failure."""

    def __init__(self, share: float, floor: float = 10.0, cap: float = 100.0) -> None:
        self._share, self._cap, self._left = share, cap, floor

    def requested(self) -> None:
        """A first attempt was made."""
        self._left = min(self._cap, self._left + self._share)

    def take(self) -> bool:
        """Whether a retry may be made; counts it."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
