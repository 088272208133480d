"""What users call: each changes what a job is meant to be, and wakes the thread that makes it so."""

import threading
from collections.abc import Sequence
from typing import cast

from primes.contract import Job, Limits, Ports, State, Stats, Status
from primes.contract import PrimeCalculator as Contract
from primes.core.plan import validate
from primes.engine.coordinator import Coordinator
from primes.engine.jobs import Jobs

__all__ = ["PrimeCalculator"]


class PrimeCalculator(Contract):
    """See the contract. Its thread is a daemon: a program that ends without `stop` ends all the same."""

    coordinator = Coordinator
    jobs = Jobs

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._jobs = self.jobs(cast(threading.Lock, ports.lock("jobs")), self._limits.jobs)
        self._coordinator = self.coordinator(ports, self._limits, self._jobs)
        self._thread = threading.Thread(target=self._coordinator.run, name="coordinator", daemon=True)

    def start(self, jobs: Sequence[Job]) -> None:
        self._jobs.take_over(jobs)
        self._thread.start()

    def submit(self, job: Job) -> str:
        validate(job, self._limits)
        self._jobs.accept(job)
        self._coordinator.crew.interrupt()
        return job.id

    def pause(self, job_id: str) -> None:
        self._move(job_id, State.PAUSED, (State.QUEUED, State.RUNNING))

    def resume(self, job_id: str) -> None:
        self._move(job_id, State.RUNNING, (State.PAUSED,))

    def cancel(self, job_id: str) -> None:
        self._move(job_id, State.CANCELLED, (State.QUEUED, State.RUNNING, State.PAUSED))

    def _move(self, job_id: str, to: State, allowed: Sequence[State]) -> None:
        self._jobs.move(job_id, to, allowed)
        self._coordinator.crew.interrupt()

    def status(self, job_id: str) -> Status:
        return self._jobs.find(job_id)

    def forget(self, job_id: str) -> None:
        self._jobs.forget(job_id)

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        return self._jobs.wait(job_id, timeout)

    def stats(self) -> Stats:
        return self._jobs.stats()

    def stop(self, deadline: float) -> Sequence[Job]:
        self._jobs.close(deadline)
        self._coordinator.crew.interrupt()
        if self._thread.is_alive():
            self._thread.join()
        self._coordinator.crew.close()
        return self._jobs.unfinished()
