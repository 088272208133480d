"""M2: Distributed prime calculator. This is your file: `lab start M2` copies it to workspace/primes.py.

Ports: your engine starts no process, opens no shared memory and looks at no clock by itself. It gets objects that
do: `ports.crew()` for workers, `ports.board(job, tiles)` for the place where their results go, `ports.clock`,
`ports.executor("coordinator", 1)` for a thread. So the same file runs in the live service, with processes of this
machine or with Celery on ten, and in `lab check`, which kills workers at scripted moments. What each of them
promises stands in `primes/contract.py`.

    python workspace/primes.py     tries it once, with two real processes
    lab check M2                   judges it
    lab hint M2                    one level at a time

A way through, in this order. From the second on, every step makes some more checks pass:

    [ ] 1. One job: cut it into tiles, give them, wait for news, put the parts together, tell of the end.
           Each check ends with `stop`: let it end your threads, until you come to 7.
    [ ] 2. `status`, `wait`, `stats`: what do two threads share, and what guards it?
    [ ] 3. Many tiles, and few given at a time: whoever is free takes the next.
    [ ] 4. Workers that die: heard of, unheard of, after writing, again and again with the same tile.
    [ ] 5. Results that come twice, or late.
    [ ] 6. `pause`, `resume`, `cancel`, and bounds.
    [ ] 7. The end: `stop` loses nothing and leaves nothing behind; `start` goes on from the boards.

`primes.core` has pure helpers that you may use: `plan.plan` and `plan.validate`, `leases.Leases`, `tally.Tally`.
None of them may be used by two threads at once.
"""

import sys
from collections.abc import Sequence

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which would hide the package of the same name

from primes.contract import Job, Limits, Ports, Stats, Status


class PrimeCalculator:
    """See `contract.PrimeCalculator` for what each method promises. Any of them may be called from any thread."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        # TODO: keep the ports and the limits; make the crew, and what the threads will share. Decide which thread
        # owns the crew and the boards (one has to: a crew is for one thread), and what guards what users see.
        self.ports = ports
        self.limits = limits or Limits()

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin, with what an earlier engine or life left unfinished. What is on a board is not computed again."""
        # TODO: accept the jobs without looking at the bounds: they were accepted once already. A job that was
        # paused stays paused (`job.paused`). Then let your thread begin.
        # TODO: the thread. For a new job: plan its tiles, open its board, see what is on it. Give tiles; wait for
        # news no longer than the next lease lasts; count what is done; give again what was lost. When a job has
        # ended, discard its board and tell `ports.finished`, once, with no lock held.
        raise NotImplementedError

    def submit(self, job: Job) -> str:
        """Accept `job`, return its id. Raises `InvalidJob`, `Conflict`, `Busy`, and then accepts nothing."""
        # TODO: look whether the job can be accepted, and accept it, in one step: two users may do this at the same
        # moment. `crew.interrupt()` wakes a thread that waits for news.
        raise NotImplementedError

    def pause(self, job_id: str) -> None:
        """Give no more of its tiles. What is being computed counts. Raises `UnknownJob`, `Conflict`."""
        # TODO: who gives tiles has to see this. What is computed meanwhile still counts.
        raise NotImplementedError

    def resume(self, job_id: str) -> None:
        """Go on with a paused job. Raises `UnknownJob`, `Conflict`."""
        raise NotImplementedError

    def cancel(self, job_id: str) -> None:
        """End a job; what was computed is dropped. Raises `UnknownJob`, `Conflict`."""
        # TODO: a final state never changes again, whatever still comes in. Who discards the board, and who tells?
        raise NotImplementedError

    def status(self, job_id: str) -> Status:
        """One job now. Raises `UnknownJob`."""
        # TODO: all fields from one moment.
        raise NotImplementedError

    def forget(self, job_id: str) -> None:
        """Drop what is known of an ended job. Raises `UnknownJob`, `Conflict`."""
        raise NotImplementedError

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        """Block until the job is final or `timeout` seconds passed; returns its status either way."""
        # TODO: wait without asking again and again: what in `threading` wakes those who wait for a change?
        raise NotImplementedError

    def stats(self) -> Stats:
        """One moment of the engine, consistent in itself."""
        raise NotImplementedError

    def stop(self, deadline: float) -> Sequence[Job]:
        """Accept nothing more; go on for `deadline` seconds; return the unfinished jobs, for the next engine."""
        # TODO: end your thread, close the boards of unfinished jobs (what is on them waits for the next engine),
        # and close the crew. Return `dataclasses.replace(job, paused=True)` for a paused one.
        raise NotImplementedError


if __name__ == "__main__":
    from primes.checks.tryout import tryout

    tryout(PrimeCalculator)
