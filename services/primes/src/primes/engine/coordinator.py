"""The thread that owns runs, boards, leases and the crew. Nobody else touches them, so none needs a lock."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from primes.contract import (
    Board,
    Happened,
    Job,
    Limits,
    News,
    Order,
    Part,
    Ports,
    State,
    Status,
    Tile,
    Unavailable,
)
from primes.core.leases import Leases
from primes.core.plan import plan
from primes.core.tally import Tally
from primes.engine.jobs import Jobs

__all__ = ["Coordinator", "Run"]

PATIENCE = 1.0  # the longest wait for news, and for a board or a crew that does not answer
ABREAST = 16  # jobs that share the workers: each has its plan in memory, and a board, which the system bounds

type Key = tuple[str, Tile]


@dataclass
class Run:
    """A job that is being computed: `waiting` are the tiles in nobody's hands, `given` how many are."""

    job: Job
    board: Board
    tally: Tally
    began: float
    waiting: deque[Tile] = field(default_factory=deque)
    given: int = 0


class Coordinator:
    """Gives tiles, listens, gives again what was lost, and tells of each end once."""

    def __init__(self, ports: Ports, limits: Limits, jobs: Jobs) -> None:
        self._ports, self._limits, self._jobs = ports, limits, jobs
        self.crew = ports.crew()
        self._leases = Leases[Key](limits.lease, limits.attempts)
        self._runs: dict[str, Run] = {}

    def run(self) -> None:
        """Until it is time to end. What does not answer now is asked again: leases and boards lose nothing."""
        try:
            while self._jobs.wait_for_work(len(self._leases) > 0):
                self._try()
            self._tell_last_ends()
        finally:
            for run in self._runs.values():
                run.board.close()

    def _try(self) -> None:
        try:
            self._step()
        except Unavailable:
            self._ports.clock.sleep(PATIENCE)
            self._leases.renew_all(self._now())

    def _step(self) -> None:
        self._tell_ends()
        self._give()
        if not self._runs:
            return
        for news in self.crew.news(self._patience()):
            self._hear(news)
        self._reclaim()

    def _now(self) -> float:
        return self._ports.clock.monotonic()

    def _patience(self) -> float:
        """No longer than until the next lease ends; not at all while an end is to be told."""
        if self._jobs.untold():
            return 0.0
        end = self._leases.next_end()
        return PATIENCE if end is None else min(PATIENCE, max(0.0, end - self._now()))

    def _tell_ends(self) -> None:
        for status in self._jobs.untold():
            self._drop(status.job.id)
            self._tell(status)

    def _tell_last_ends(self) -> None:
        """What ends with the engine is told as well, even if a board does not answer and so stays behind."""
        for status in self._jobs.untold():
            with suppress(Unavailable):
                self._drop(status.job.id)
            self._tell(status)

    def _tell(self, status: Status) -> None:
        self._ports.finished(status)
        self._jobs.told(status)

    def _drop(self, job_id: str) -> None:
        run = self._runs.get(job_id)
        if run:
            run.board.discard()
            for tile in run.tally.tiles:
                self._leases.forget((job_id, tile))
            del self._runs[job_id]

    def _give(self) -> None:
        """Keep everybody busy and no more: the less is given ahead, the more can still be balanced."""
        runs = self._at_work()
        most = self._limits.ahead * self.crew.size()
        while len(self._leases) < most:
            ready = [run for run in runs if run.waiting]
            if not ready:
                return
            self._give_one(min(ready, key=lambda run: run.given))

    def _at_work(self) -> list[Run]:
        """The oldest jobs that go on. One that gets no board waits; it keeps nobody else from going on."""
        jobs = self._jobs.going_on()[:ABREAST]
        try:
            return [self._runs.get(job.id) or self._open(job) for job in jobs]
        except Unavailable:
            if not self._runs:
                raise
            return [self._runs[job.id] for job in jobs if job.id in self._runs]

    def plan(self, job: Job) -> list[Tile]:
        return plan(job, self._limits)

    def _open(self, job: Job) -> Run:
        tiles = self.plan(job)
        board = self._ports.board(job, len(tiles))
        known = board.read(tiles)
        run = self._runs[job.id] = Run(job, board, Tally(job, tiles), self._now(), deque(tiles))
        self._jobs.begin(job.id, len(tiles))
        for tile, part in known.items():
            run.waiting.remove(tile)
            self._count(run, tile, part)
        if run.tally.complete:
            self._finish(run)
        return run

    def _give_one(self, run: Run) -> None:
        """The lease begins when the crew has the order: what it did not take is not given."""
        tile = run.waiting[0]
        key = (run.job.id, tile)
        self.crew.give(Order(run.job.id, tile, self._leases.attempt(key) + 1, run.board.name))
        run.waiting.popleft()
        run.given += 1
        self._leases.grant(key, self._now())

    def _hear(self, news: News) -> None:
        """Whoever lives is a sign for those that wait, too. All else of a job that has ended comes too late."""
        run, tile = self._runs.get(news.order.job), news.order.tile
        if news.happened in (Happened.BEGAN, Happened.ALIVE):
            self._leases.renew((news.order.job, tile), self._now())
        elif run is None:
            return
        elif news.happened is Happened.DONE:
            self._collect(run, tile, {news.worker: news.seconds})
        elif news.order.attempt == self._leases.attempt((run.job.id, tile)):
            self._leases.renew((run.job.id, tile), self._now())  # whoever lost it had begun it
            self._jobs.count(lost=1)
            self._jobs.update(run.job.id, lambda status: {"lost": status.lost + 1})
            self._retry(run, tile, news.reason)

    def _reclaim(self) -> None:
        for job_id, tile in self._leases.expired(self._now()):
            self._jobs.count(expired=1)
            self._jobs.update(job_id, lambda status: {"lost": status.lost + 1})
            self._retry(self._runs[job_id], tile, f"no sign of life for {self._limits.lease:g} s")

    def _retry(self, run: Run, tile: Tile, reason: str) -> None:
        """Somebody may have written the part and died before saying so."""
        if self._collect(run, tile, {}) or tile in run.tally:
            return
        self._take_back(run, tile)
        if self._leases.spent((run.job.id, tile)):
            self._quarantine(run, tile, reason)
        else:
            run.waiting.appendleft(tile)

    def _take_back(self, run: Run, tile: Tile) -> None:
        """Out of somebody's hands; or, when its part comes late, out of those that wait to be given again."""
        key = (run.job.id, tile)
        if key in self._leases:
            run.given -= 1
            self._leases.end(key)
        elif tile in run.waiting:
            run.waiting.remove(tile)

    def _collect(self, run: Run, tile: Tile, busy: Mapping[str, float]) -> bool:
        """Whether the part of `tile` is there. It counts once, however often it comes."""
        part = run.board.read([tile]).get(tile)
        if part is None:
            return False
        self._take_back(run, tile)
        if tile in run.tally:
            self._note_again(run, sum(busy.values()) > 0)
            return True
        self._count(run, tile, part, busy)
        if run.tally.complete:
            self._finish(run)
        return True

    def _note_again(self, run: Run, computed: bool) -> None:
        """Only work is counted: a worker that finds the part on the board has done nothing."""
        if computed:
            self._jobs.count(again=1)
            self._jobs.update(run.job.id, lambda status: {"again": status.again + 1})

    def _count(self, run: Run, tile: Tile, part: Part, busy: Mapping[str, float] | None = None) -> None:
        run.tally.add(tile, part)
        owed = run.tally.owed()
        if owed:
            run.waiting.append(owed)
        self._jobs.count(tiles=1)
        self._jobs.update(run.job.id, lambda status: self._numbers(run, status, busy or {}))

    def _numbers(self, run: Run, status: Status, busy: Mapping[str, float]) -> dict[str, Any]:
        more = {worker: status.busy.get(worker, 0.0) + seconds for worker, seconds in busy.items()}
        return {
            "tiles": len(run.tally.tiles),
            "done": len(run.tally),
            "seconds": self._now() - run.began,
            "busy": {**status.busy, **more},
        }

    def _finish(self, run: Run) -> None:
        answer = run.tally.answer()
        self._jobs.update(run.job.id, lambda status: {"state": State.DONE, "answer": answer})

    def _quarantine(self, run: Run, tile: Tile, reason: str) -> None:
        """A tile that takes every worker with it is given to no more of them."""
        self._jobs.count(quarantined=1)
        error = (
            f"[{tile.lo}, {tile.hi}) failed {self._limits.attempts} times, so nobody else gets it: {reason}"
        )
        self._jobs.update(run.job.id, lambda status: {"state": State.FAILED, "error": error})
