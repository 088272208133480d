"""Another right solution of M2: a clerk who owns the crew, and a notebook for each job.

The reference keeps leases in a table that knows who waits behind whom, and what users see in a class of its own.
Here each job has its own dates, renewed by hand, and everything is in one class.
"""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from primes.contract import (
    Board,
    Busy,
    Conflict,
    Happened,
    Job,
    Limits,
    News,
    Order,
    Ports,
    State,
    Stats,
    Status,
    Tile,
    Unavailable,
    UnknownJob,
)
from primes.core.plan import plan, validate
from primes.core.tally import Tally

GOES_ON = (State.QUEUED, State.RUNNING)


@dataclass
class Given:
    """A tile in somebody's hands."""

    attempt: int
    until: float
    begun: bool = False


@dataclass
class Work:
    """One job: what is left, what is given, and what is counted."""

    board: Board
    tally: Tally
    began: float
    left: list[Tile]
    tried: dict[Tile, int] = field(default_factory=dict)
    given: dict[Tile, Given] = field(default_factory=dict)


class PrimeCalculator:
    """`_lock` guards `_status`, `_ends` and `_stats`; `_works` and the crew belong to the clerk's thread."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._crew = ports.crew()
        self._lock = threading.Condition()
        self._status: dict[str, Status] = {}
        self._ends: queue.SimpleQueue[Status] = queue.SimpleQueue()
        self._untold = 0
        self._stats: dict[str, int] = dict.fromkeys(("tiles", "again", "lost", "expired", "quarantined"), 0)
        self._works: dict[str, Work] = {}
        self._closed = self._over = False
        self._clerk = ports.executor("clerk", 1)

    def start(self, jobs: Sequence[Job]) -> None:
        with self._lock:
            for job in jobs:
                self._status[job.id] = Status(job, State.PAUSED if job.paused else State.QUEUED)
        self._clerk.submit(self._serve)

    def submit(self, job: Job) -> str:
        validate(job, self._limits)
        with self._lock:
            if job.id in self._status:
                raise Conflict(f"{job.id} is here")
            unfinished = [one for one in self._status.values() if not one.state.final]
            if self._closed or len(unfinished) >= self._limits.jobs:
                raise Busy("full")
            self._status[job.id] = Status(job, State.QUEUED)
            self._lock.notify_all()
        self._crew.interrupt()
        return job.id

    def pause(self, job_id: str) -> None:
        self._want(job_id, GOES_ON, State.PAUSED)

    def resume(self, job_id: str) -> None:
        self._want(job_id, (State.PAUSED,), State.RUNNING)

    def cancel(self, job_id: str) -> None:
        self._want(job_id, (*GOES_ON, State.PAUSED), State.CANCELLED)

    def status(self, job_id: str) -> Status:
        with self._lock:
            return self._find(job_id)

    def forget(self, job_id: str) -> None:
        with self._lock:
            if not self._find(job_id).state.final:
                raise Conflict(f"{job_id} goes on")
            del self._status[job_id]

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        with self._lock:
            self._lock.wait_for(lambda: self._find(job_id).state.final, timeout)
            return self._find(job_id)

    def stats(self) -> Stats:
        with self._lock:
            states = dict.fromkeys(State, 0)
            for one in self._status.values():
                states[one.state] += 1
            return Stats(states, **self._stats)

    def stop(self, deadline: float) -> Sequence[Job]:
        with self._lock:
            self._closed = True
            self._lock.wait_for(lambda: not self._active(), deadline)
            self._over = True
            self._lock.notify_all()
        self._crew.interrupt()
        self._clerk.shutdown()
        self._crew.close()
        left = [one for one in self._status.values() if not one.state.final]
        return [replace(one.job, paused=one.state is State.PAUSED) for one in left]

    def _find(self, job_id: str) -> Status:
        if job_id not in self._status:
            raise UnknownJob(job_id)
        return self._status[job_id]

    def _active(self) -> bool:
        return self._untold > 0 or any(one.state in GOES_ON for one in self._status.values())

    def _want(self, job_id: str, allowed: Sequence[State], state: State) -> None:
        with self._lock:
            if self._find(job_id).state not in allowed:
                raise Conflict(f"{job_id} is {self._status[job_id].state}")
            self._put(job_id, state=state)
        self._crew.interrupt()

    def _put(self, job_id: str, **changes: Any) -> None:
        """Requires the lock. A final state stays."""
        before = self._status.get(job_id)
        if before is None or before.state.final:
            return
        self._status[job_id] = replace(before, **changes)
        if self._status[job_id].state.final:
            self._untold += 1
            self._ends.put(self._status[job_id])
        self._lock.notify_all()

    def _set(self, job_id: str, **changes: Any) -> None:
        with self._lock:
            self._put(job_id, **changes)

    def _add(self, name: str) -> None:
        with self._lock:
            self._stats[name] += 1

    def _serve(self) -> None:
        while True:
            with self._lock:
                busy = any(work.given for work in self._works.values())
                self._lock.wait_for(lambda busy=busy: self._over or busy or self._active())
                if self._over:
                    break
            try:
                self._round()
            except Unavailable:
                self._ports.clock.sleep(0.5)
        for work in self._works.values():
            work.board.close()

    def _round(self) -> None:
        while not self._ends.empty():
            end = self._ends.get()
            work = self._works.pop(end.job.id, None)
            if work:
                work.board.discard()
            self._ports.finished(end)
            with self._lock:
                self._untold -= 1
                self._lock.notify_all()
        self._hand_out()
        pause = 0.0 if not self._ends.empty() else 0.5
        for news in self._crew.news(pause):
            self._read(news)
        self._look_for_the_silent()

    def _hand_out(self) -> None:
        for job in self._going_on():
            if job.id not in self._works:
                self._begin(job)
        room = self._limits.ahead * self._crew.size() - sum(len(work.given) for work in self._works.values())
        for job in self._going_on():
            work = self._works.get(job.id)
            while work and room > 0 and work.left:
                self._give(job, work)
                room -= 1

    def _going_on(self) -> list[Job]:
        with self._lock:
            return [one.job for one in self._status.values() if one.state in GOES_ON]

    def _begin(self, job: Job) -> None:
        tiles = plan(job, self._limits)
        board = self._ports.board(job, len(tiles))
        known = board.read(tiles)
        work = self._works[job.id] = Work(board, Tally(job, tiles), self._ports.clock.monotonic(), [])
        work.left = [tile for tile in tiles if tile not in known]
        with self._lock:
            if self._status.get(job.id) == Status(job, State.QUEUED):
                self._put(job.id, state=State.RUNNING)
        for tile, part in known.items():
            work.tally.add(tile, part)
        self._progress(job.id, work)

    def _give(self, job: Job, work: Work) -> None:
        tile = work.left[0]
        attempt = work.tried.get(tile, 0) + 1
        self._crew.give(Order(job.id, tile, attempt, work.board.name))
        work.left.pop(0)
        work.tried[tile] = attempt
        work.given[tile] = Given(attempt, self._ports.clock.monotonic() + self._limits.lease)

    def _read(self, news: News) -> None:
        work, tile = self._works.get(news.order.job), news.order.tile
        if work is None:
            return
        if news.happened is Happened.DONE:
            self._take(news.order.job, work, tile)
        elif news.happened in (Happened.LOST, Happened.FAILED):
            given = work.given.get(tile)
            if given and given.attempt == news.order.attempt:
                self._add("lost")
                self._again(news.order.job, work, tile, news.reason)
        else:
            self._renew(work, tile)

    def _renew(self, work: Work, tile: Tile) -> None:
        """Whoever is alive, and all who wait behind, in every job: in turn, those given again first."""
        if tile not in work.given:
            return
        until = self._ports.clock.monotonic() + self._limits.lease
        older = work.given[tile]
        older.begun, older.until = True, until
        behind = False
        everybody = [one for each in self._works.values() for one in each.given.values()]
        for given in sorted(everybody, key=lambda one: (not one.begun, one.attempt == 1)):
            behind |= given is older
            if behind and not given.begun:
                given.until = until

    def _take(self, job_id: str, work: Work, tile: Tile) -> bool:
        part = work.board.read([tile]).get(tile)
        if part is None:
            return False
        work.given.pop(tile, None)
        if tile in work.left:
            work.left.remove(tile)
        if not work.tally.add(tile, part):
            self._add("again")
            return True
        self._add("tiles")
        self._progress(job_id, work)
        return True

    def _progress(self, job_id: str, work: Work) -> None:
        owed = work.tally.owed()
        if owed:
            work.left.append(owed)
        seconds = self._ports.clock.monotonic() - work.began
        self._set(job_id, tiles=len(work.tally.tiles), done=len(work.tally), seconds=seconds)
        if work.tally.complete:
            self._set(job_id, state=State.DONE, answer=work.tally.answer())

    def _look_for_the_silent(self) -> None:
        now = self._ports.clock.monotonic()
        for job_id, work in list(self._works.items()):
            for tile in [tile for tile, given in work.given.items() if given.until <= now]:
                self._add("expired")
                self._again(job_id, work, tile, "silence")

    def _again(self, job_id: str, work: Work, tile: Tile, reason: str) -> None:
        if self._take(job_id, work, tile):
            return
        work.given.pop(tile, None)
        if work.tried[tile] < self._limits.attempts:
            work.left.insert(0, tile)
            return
        self._add("quarantined")
        self._set(job_id, state=State.FAILED, error=f"{tile.lo} to {tile.hi}: {reason}")
