"""How often somebody may do something, without a timer (GCRA, ITU-T I.371)."""

from dataclasses import dataclass

from chat.contract import ChatError

__all__ = ["Meter", "Rate", "TooOften"]


class TooOften(ChatError):
    """More than the rate allows; the text says how long to wait."""

    code = "too_often"


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_second` on average."""

    per_second: float
    burst: int


class Meter:
    """One bucket for each key. What is full again is forgotten, so memory is bounded by who was active
    lately."""

    def __init__(self, rate: Rate, tidy_at: int = 10_000) -> None:
        self._step, self._reach = 1.0 / rate.per_second, (rate.burst - 1) / rate.per_second
        self._tidy_at = tidy_at
        self._full_at: dict[str, float] = {}

    def wait(self, key: str, now: float) -> float:
        """Seconds until `key` may; 0.0 means now, and counts."""
        full_at = self._full_at.get(key, now)
        full_at = full_at if full_at > now else now
        early = full_at - self._reach - now
        if early > 0:
            return early
        if len(self._full_at) >= self._tidy_at:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        self._full_at[key] = full_at + self._step
        return 0.0

    def forget(self, key: str) -> None:
        self._full_at.pop(key, None)
