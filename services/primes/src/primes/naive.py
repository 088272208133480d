"""What a competent newcomer writes first: equal shares, one for each worker, added up as they come.

It is right on a sunny day, and nothing ever dies in the author's tests.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from primes.contract import (
    Conflict,
    Happened,
    Job,
    Kind,
    Limits,
    Order,
    Part,
    Ports,
    State,
    Stats,
    Status,
    Tile,
    UnknownJob,
)
from primes.core.plan import validate
from primes.core.tally import merged


class PrimeCalculator:
    """One job after the other, on one thread."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self.ports, self.limits = ports, limits or Limits()
        self.crew = ports.crew()
        self.pool = ports.executor("jobs", 1)
        self.lock = threading.Condition()
        self.jobs: dict[str, Status] = {}
        self.futures: list[Future[None]] = []
        self.counted = 0
        self.stopping = False

    def start(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self.submit(job)

    def submit(self, job: Job) -> str:
        validate(job, self.limits)
        with self.lock:
            self.jobs[job.id] = Status(job, State.QUEUED)
        self.futures.append(self.pool.submit(self._run, job))
        return job.id

    def _run(self, job: Job) -> None:
        if self.jobs[job.id].state.final or self.stopping:
            return
        tiles = self._shares(job)
        board = self.ports.board(job, len(tiles))
        self._set(job, state=State.RUNNING, tiles=len(tiles))
        for tile in tiles:
            self.crew.give(Order(job.id, tile, 1, board.name))
        parts: list[tuple[int, Part]] = []
        busy, began = defaultdict[str, float](float), self.ports.clock.monotonic()
        while len(parts) < len(tiles) and not self.stopping and not self.jobs[job.id].state.final:
            for news in self.crew.news(1.0):
                if news.happened is Happened.DONE and news.order.job == job.id:
                    part = board.read([news.order.tile])[news.order.tile]
                    parts.append((news.order.tile.index, part))
                    self.counted += 1
                    busy[news.worker] += news.seconds
                    seconds = self.ports.clock.monotonic() - began
                    self._set(job, done=len(parts), busy=dict(busy), seconds=seconds)
        if len(parts) >= len(tiles):
            self._set(job, state=State.DONE, answer=self._answer(job, parts))
            self.ports.finished(self.jobs[job.id])
        board.discard()

    def _shares(self, job: Job) -> list[Tile]:
        """Equal ones, one for each worker; an n-th prime is looked for by one worker alone."""
        if job.kind is Kind.NTH:
            return [Tile(0, job.lo, job.hi, job.kind, job.rank)]
        width = -(-(job.hi - job.lo) // self.limits.workers)
        starts = range(job.lo, job.hi, max(1, width))
        return [Tile(number, lo, min(lo + width, job.hi), job.kind) for number, lo in enumerate(starts)]

    def _answer(self, job: Job, parts: Sequence[tuple[int, Part]]) -> dict[str, int]:
        whole = merged([part for _, part in sorted(parts, key=lambda pair: pair[0])])
        return {
            Kind.COUNT: {"count": whole.count},
            Kind.SUM: {"sum": whole.total, "count": whole.count},
            Kind.TWINS: {"twins": whole.twins, "count": whole.count},
            Kind.GAP: {"gap": whole.gap, "after": whole.gap_at, "count": whole.count},
            Kind.NTH: {"prime": whole.last, "rank": job.rank},
        }[job.kind]

    def _set(self, job: Job, **values: object) -> None:
        with self.lock:
            self.jobs[job.id] = replace(self.jobs[job.id], **values)  # type: ignore[arg-type]
            self.lock.notify_all()

    def pause(self, job_id: str) -> None:
        if self.status(job_id).state is not State.QUEUED:
            raise Conflict(f"job {job_id!r} runs already")
        self._set(self.status(job_id).job, state=State.PAUSED)

    def resume(self, job_id: str) -> None:
        if self.status(job_id).state is not State.PAUSED:
            raise Conflict(f"job {job_id!r} is not paused")
        self._set(self.status(job_id).job, state=State.QUEUED)

    def cancel(self, job_id: str) -> None:
        if self.status(job_id).state.final:
            raise Conflict(f"job {job_id!r} has ended")
        self._set(self.status(job_id).job, state=State.CANCELLED)
        self.ports.finished(self.status(job_id))

    def status(self, job_id: str) -> Status:
        with self.lock:
            if job_id not in self.jobs:
                raise UnknownJob(f"no job {job_id!r}")
            return self.jobs[job_id]

    def forget(self, job_id: str) -> None:
        if not self.status(job_id).state.final:
            raise Conflict(f"job {job_id!r} has not ended")
        del self.jobs[job_id]

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        with self.lock:
            self.lock.wait_for(lambda: self.jobs[job_id].state.final, timeout)
        return self.status(job_id)

    def stats(self) -> Stats:
        states = dict.fromkeys(State, 0)
        for status in self.jobs.values():
            states[status.state] += 1
        return Stats(states, tiles=self.counted)

    def stop(self, deadline: float) -> Sequence[Job]:
        with self.lock:
            self.lock.wait_for(lambda: all(one.state.final for one in self.jobs.values()), deadline)
        self.stopping = True
        self.crew.interrupt()
        self.pool.shutdown(cancel_futures=True)
        self.crew.close()
        return [one.job for one in self.jobs.values() if not one.state.final]
