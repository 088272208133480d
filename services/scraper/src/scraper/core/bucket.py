"""A token bucket: how often, and how much at once (Turner, New Directions in Communications, 1986)."""

from dataclasses import dataclass

__all__ = ["Bucket"]

ALMOST = 1e-6
"""What adding up floats may lose of a token."""


@dataclass(slots=True)
class Bucket:
    """Holds `burst` tokens at most, and gains `rate` a second: so in any s seconds at most burst + rate * s go."""

    rate: float
    burst: float
    at: float
    tokens: float = -1.0

    def __post_init__(self) -> None:
        if self.tokens < 0:
            self.tokens = self.burst

    def level(self, now: float) -> float:
        """Tokens at `now`, in the seconds of any clock that never goes back."""
        return min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 if there is one."""
        missing = 1.0 - self.level(now)
        return missing / self.rate if missing > ALMOST else 0.0

    def take(self, now: float) -> None:
        """Take the token that `wait` said is there."""
        self.tokens, self.at = max(0.0, self.level(now) - 1.0), now
