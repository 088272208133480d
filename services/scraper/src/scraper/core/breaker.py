"""A circuit breaker (Nygard, Release It!, 2007) as a state machine: who may call, and what their ends mean."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Breaker", "BreakerState", "Permit"]


MOST_DOUBLINGS = 6


class BreakerState(StrEnum):
    """Closed lets calls through, open none, half-open one: the probe."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Permit:
    """One call that may be made; `epoch` is the state in which it was given, which may be over when it ends."""

    epoch: int
    at: float


class Breaker:
    """Opens when `rate` of at least `calls` calls in the last `window` seconds failed. After `seconds`, doubled
    with each trip in a row at most six times, one probe goes out; it closes the breaker or opens it again. A probe
    that nobody hears of again is given up after `window`. All times are of one monotonic clock.
    """

    def __init__(self, rate: float, calls: int, window: float, seconds: float) -> None:
        self._rate, self._calls, self._window, self._seconds = rate, calls, window, seconds
        self._ends: deque[tuple[float, bool]] = deque(maxlen=max(100, calls))
        self._failures = 0
        self._epoch = 0
        self._until = 0.0
        self._probe: Permit | None = None
        self.trips = 0
        """How often it opened since it was last closed."""

    def state(self, now: float) -> BreakerState:
        if not self.trips:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until else BreakerState.HALF_OPEN

    def wait(self, now: float) -> float:
        """Seconds until a call may go; 0 if one may now. A probe's end may change it earlier."""
        if not self.trips:
            return 0.0
        if now < self._until:
            return self._until - now
        return max(0.0, self._probe.at + self._window - now) if self._probe else 0.0

    def permit(self, now: float) -> Permit:
        """Let a call out, when `wait` is 0."""
        permit = Permit(self._epoch, now)
        if self.trips:
            self._probe = permit
        return permit

    def ended(self, permit: Permit, success: bool, now: float) -> None:
        """A call has ended. One that was let out in an earlier state changes nothing."""
        if permit.epoch != self._epoch:
            return
        if self.trips:
            self._probed(permit, success, now)
            return
        self._note(now, success)
        if len(self._ends) >= self._calls and self._failures >= self._rate * len(self._ends):
            self._trip(now)

    def lost(self, permit: Permit) -> None:
        """A call was cancelled: nobody knows how it would have ended. Another may probe."""
        if self._probe is permit:
            self._probe = None

    def _probed(self, permit: Permit, success: bool, now: float) -> None:
        if self._probe is not permit:
            return
        self._probe = None
        if success:
            self.trips = 0
            self._epoch += 1
        else:
            self._trip(now)

    def _note(self, now: float, success: bool) -> None:
        if len(self._ends) == self._ends.maxlen:
            self._forget()
        self._ends.append((now, success))
        self._failures += not success
        while self._ends[0][0] < now - self._window:
            self._forget()

    def _forget(self) -> None:
        self._failures -= not self._ends.popleft()[1]

    def _trip(self, now: float) -> None:
        self._until = now + self._seconds * 2 ** min(self.trips, MOST_DOUBLINGS)
        self.trips += 1
        self._epoch += 1
        self._ends.clear()
        self._failures = 0
