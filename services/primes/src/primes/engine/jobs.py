"""All jobs, as users see and change them, behind one lock named after what it guards."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from primes.contract import Busy, Conflict, Job, State, Stats, Status, UnknownJob

__all__ = ["Jobs"]

GOES_ON = (State.QUEUED, State.RUNNING)


class Jobs:
    """Every method may be called from any thread, and is one step. `most` jobs are unfinished at most.

    `_changed` is a condition on the lock; it guards all that follows it.
    """

    def __init__(self, lock: threading.Lock, most: int) -> None:
        self._most = most
        self._changed = threading.Condition(lock)
        self._jobs: dict[str, Status] = {}
        self._untold: list[Status] = []
        self._counts: Counter[str] = Counter()
        self._closed = self._over = False

    def take_over(self, jobs: Sequence[Job]) -> None:
        """What was accepted once already: no bound applies."""
        with self._changed:
            for job in jobs:
                self._jobs[job.id] = Status(job, State.PAUSED if job.paused else State.QUEUED)

    def accept(self, job: Job) -> None:
        with self._changed:
            if self._closed or sum(not one.state.final for one in self._jobs.values()) >= self._most:
                raise Busy("no room for another job: try again in a few seconds")
            if job.id in self._jobs:
                raise Conflict(f"job {job.id!r} is here already")
            self._jobs[job.id] = Status(job, State.QUEUED)
            self._changed.notify_all()

    def move(self, job_id: str, to: State, allowed: Sequence[State]) -> None:
        """What a user wants: the coordinator will see it. When it has ended, nobody would."""
        with self._changed:
            status = self._find(job_id)
            if self._over:
                raise Conflict(f"job {job_id!r} goes to the next engine: try again in a moment")
            if status.state not in allowed:
                raise Conflict(f"job {job_id!r} is {status.state}: it cannot become {to}")
            self._set(replace(status, state=to))

    def find(self, job_id: str) -> Status:
        with self._changed:
            return self._find(job_id)

    def forget(self, job_id: str) -> None:
        with self._changed:
            if not self._find(job_id).state.final:
                raise Conflict(f"job {job_id!r} has not ended: cancel it first")
            del self._jobs[job_id]

    def wait(self, job_id: str, timeout: float | None) -> Status:
        with self._changed:
            self._changed.wait_for(lambda: self._find(job_id).state.final, timeout)
            return self._find(job_id)

    def stats(self) -> Stats:
        with self._changed:
            states = dict.fromkeys(State, 0) | Counter(one.state for one in self._jobs.values())
            return Stats(states, **self._counts)

    def going_on(self) -> list[Job]:
        """The jobs whose tiles may be given, oldest first."""
        with self._changed:
            return [one.job for one in self._jobs.values() if one.state in GOES_ON]

    def begin(self, job_id: str, tiles: int) -> None:
        """A job that waited is at work now. Whoever has paused or cancelled it meanwhile is right."""
        with self._changed:
            status = self._jobs.get(job_id)
            if status and not status.state.final:
                state = State.RUNNING if status.state is State.QUEUED else status.state
                self._set(replace(status, state=state, tiles=tiles))

    def update(self, job_id: str, change: Callable[[Status], dict[str, Any]]) -> None:
        """Change the numbers of a job by what they are; of one that has ended nothing changes any more."""
        with self._changed:
            status = self._jobs.get(job_id)
            if status and not status.state.final:
                self._set(replace(status, **change(status)))

    def count(self, **more: int) -> None:
        with self._changed:
            self._counts.update(more)

    def untold(self) -> list[Status]:
        """The ends that nobody has been told of; `told` takes them off."""
        with self._changed:
            return list(self._untold)

    def told(self, status: Status) -> None:
        with self._changed:
            self._untold.remove(status)
            self._changed.notify_all()

    def close(self, deadline: float) -> None:
        """Accept nothing more; wait up to `deadline` s until nothing goes on; then let the coordinator end."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._busy(), deadline)
            self._over = True
            self._changed.notify_all()

    def wait_for_work(self, given: bool) -> bool:
        """Block until there is something to do: not while tiles are `given`. False when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or given or self._busy())
            return not self._over

    def unfinished(self) -> list[Job]:
        with self._changed:
            left = [one for one in self._jobs.values() if not one.state.final]
            return [replace(one.job, paused=one.state is State.PAUSED) for one in left]

    def _find(self, job_id: str) -> Status:
        """Requires holding the lock, as all that follow."""
        if job_id not in self._jobs:
            raise UnknownJob(f"no job {job_id!r}")
        return self._jobs[job_id]

    def _set(self, status: Status) -> None:
        self._jobs[status.job.id] = status
        if status.state.final:
            self._untold.append(status)
        self._changed.notify_all()

    def _busy(self) -> bool:
        return bool(self._untold) or any(one.state in GOES_ON for one in self._jobs.values())
