"""A moving rate."""


class Rate:
    """Bytes per second over the last `window` seconds, in buckets of a tenth of that: constant memory."""

    def __init__(self, window: float = 5.0) -> None:
        self._window = window
        self._buckets: list[list[float]] = []
        self._began: float | None = None

    def add(self, count: int, now: float) -> None:
        if self._began is None:
            self._began = now
        if not self._buckets or now - self._buckets[-1][0] >= self._window / 10:
            self._buckets.append([now, 0.0])
        self._buckets[-1][1] += count
        self._drop(now)

    def value(self, now: float) -> float:
        """The rate at `now`; while younger than the window, over the time since the first bytes."""
        self._drop(now)
        if self._began is None or not self._buckets:
            return 0.0
        return sum(count for _, count in self._buckets) / max(min(now - self._began, self._window), 0.1)

    def _drop(self, now: float) -> None:
        while self._buckets and now - self._buckets[0][0] > self._window:
            del self._buckets[0]
