"""How many consumers there should be: more when records wait too long, fewer when they have not for a while."""

from dataclasses import dataclass


@dataclass(slots=True)
class Scaling:
    """Decides once a period. Between `low` and `high` seconds of age nothing changes: that is the hysteresis.

    One more when the oldest is older than `high`; one fewer after `calm` periods in a row below `low`.
    """

    most: int
    low: float = 0.1
    high: float = 1.0
    calm: int = 10
    _quiet: int = 0

    def decide(self, consumers: int, age: float) -> int:
        """How many there should be now, at least 1 and at most `most`."""
        self._quiet = self._quiet + 1 if age < self.low else 0
        if age > self.high:
            return min(self.most, consumers + 1)
        if self._quiet >= self.calm and consumers > 1:
            self._quiet = 0
            return consumers - 1
        return max(1, min(self.most, consumers))
