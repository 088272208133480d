"""Telling a slow transfer from one that goes nowhere."""

from downloader.contract import Limits, Stalled


class Pace:
    """Raises `Stalled` when fewer than `stall_rate` bytes a second came over `stall_seconds`."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits, self._since, self._count = limits, now, 0

    def add(self, count: int, now: float) -> None:
        self._count += count
        passed = now - self._since
        if passed < self._limits.stall_seconds:
            return
        if self._count < self._limits.stall_rate * passed:
            raise Stalled(f"only {self._count} bytes came in {passed:.0f} s")
        self._since, self._count = now, 0
