"""Real workers, killed at scripted moments: when they have begun an order."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import resource_tracker

from lab.grader.leaks import nothing_left
from primes.adapters.memory import MemoryBoard, memory_board
from primes.adapters.processes import ProcessCrew
from primes.contract import Happened, Job, Limits, News, Ports, PrimeCalculator, State, Status, Tile

__all__ = ["killed_at_work"]

BEGINNINGS = (0, 4, 5)
LIMITS = Limits(workers=2, tile=1 << 20)
LISTENED = 1.5 * LIMITS.lease  # an engine that so long heard of nothing, and gave nothing, waits for ever
SECONDS = 30.0  # the longest, for an engine that does not even listen


class KillingCrew(ProcessCrew):
    """Kills whoever begins the first, the fifth and the sixth order; if that is of a tile for which somebody died
    already, whoever begins the next of another: a tile that kills three workers may be given up."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, kernel="numpy")
        self.began, self.listened = 0, 0.0
        self._fatal: set[Tile] = set()

    @property
    def killed(self) -> int:
        return len(self._fatal)

    def news(self, timeout: float) -> Sequence[News]:
        idle, began = self.idle(), time.monotonic()
        found = super().news(timeout)
        self.listened = self.listened + time.monotonic() - began if idle else 0.0
        for news in found:
            if news.happened is Happened.BEGAN:
                self._kill(int(news.worker.rpartition("-")[2]), news.order.tile)
        return found

    def _kill(self, slot: int, tile: Tile) -> None:
        self.began += 1
        due = sum(self.began > beginning for beginning in BEGINNINGS)
        if self.killed < due and tile not in self._fatal:
            with suppress(ProcessLookupError):
                os.kill(self.pids()[slot], signal.SIGKILL)
                self._fatal.add(tile)


def _ended(calculator: PrimeCalculator, job: Job, crew: KillingCrew) -> Status:
    """How `job` ends; or where it is when nobody has anything to do, and the engine waits all the same."""
    latest = time.monotonic() + SECONDS
    while not (status := calculator.wait(job.id, 0.1)).state.final:
        if crew.listened > LISTENED or time.monotonic() > latest:
            break
    return status


def killed_at_work(engine: type[PrimeCalculator]) -> tuple[State, Mapping[str, int] | None, int]:
    """How a job of real work ends, and how many workers were killed meanwhile. Raises Leaked."""
    resource_tracker.ensure_running()  # it stays: no fault of the engine
    boards: list[MemoryBoard] = []

    def board(job: Job, tiles: int) -> MemoryBoard:
        boards.append(memory_board(job, tiles))
        return boards[-1]

    try:
        with nothing_left():
            crew = KillingCrew(2)
            calculator = engine(Ports(crew=lambda: crew, board=board), LIMITS)
            calculator.start([])
            job = Job(0, 20_000_000)
            calculator.submit(job)
            status = _ended(calculator, job, crew)
            calculator.stop(0.0)
    finally:
        for one in boards:  # what was found to be left is not left for ever
            one.close()
    return status.state, status.answer, crew.killed
