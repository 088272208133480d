"""Mistakes about what several users ask for at once."""

from contextlib import suppress
from dataclasses import replace

from downloader.contract import Busy, Conflict, Job, Limits, Ports, State, Status
from downloader.mutants.spoiled import Mutant, spoiled_answer, spoiled_disk, spoiled_web

__all__ = [
    "CancelsTooLate",
    "CancelsWhatIsDone",
    "CountsThenAccepts",
    "FirstComeFirstServed",
    "ForgivesMistakes",
    "KeepsWhatIsCancelled",
    "LooksThenLeaps",
    "PausesOnPaper",
    "WaitsForTheRead",
]


class PausesOnPaper(Mutant):
    """Says that it is paused, and goes on."""

    caught_by = "pause_stops_and_resume_goes_on"
    on_paper: frozenset[str] = frozenset()

    def pause(self, job_id: str) -> None:
        self.on_paper |= {job_id}

    def resume(self, job_id: str) -> None:
        self.on_paper -= {job_id}

    def status(self, job_id: str) -> Status:
        found = super().status(job_id)
        return replace(found, state=State.PAUSED) if job_id in self.on_paper else found


class WaitsForTheRead(Mutant):
    """Notices only after the next bytes that they are no longer wanted."""

    caught_by = "a_hanging_read_can_be_interrupted"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_web(ports, lambda found: spoiled_answer(found, abort=lambda: None))


class KeepsWhatIsCancelled(Mutant):
    """Leaves the part file of a cancelled download on the disk."""

    caught_by = "cancel_ends_and_discards"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_disk(ports, discard=lambda destination: None)


class CancelsTooLate(Mutant):
    """Looks whether it may cancel, and then does, whatever has happened since."""

    caught_by = "each_end_is_told_once"

    def cancel(self, job_id: str) -> None:
        if self.status(job_id).state.final:
            raise Conflict(f"{job_id} has ended")
        with suppress(Conflict):
            return super().cancel(job_id)
        self.told(replace(self.status(job_id), state=State.CANCELLED))


class CancelsWhatIsDone(Mutant):
    """Says nothing when it is too late to cancel: who asked takes it for cancelled."""

    caught_by = "each_end_is_told_once"

    def cancel(self, job_id: str) -> None:
        with suppress(Conflict):
            super().cancel(job_id)


class LooksThenLeaps(Mutant):
    """Looks whether it knows the job, and then accepts it, whoever else did since."""

    caught_by = "a_job_is_accepted_once"

    def submit(self, job: Job) -> str:
        known: set[str] = vars(self).setdefault("known", set())
        if job.id in known:
            raise Conflict(f"{job.id} is known")
        known.add(job.id)
        with suppress(Conflict):
            super().submit(job)
        return job.id


class CountsThenAccepts(Mutant):
    """Counts what is unfinished, and then accepts one more, whoever else did since."""

    caught_by = "queue_is_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, jobs=1_000_000)

    def submit(self, job: Job) -> str:
        states = self.stats().states
        if sum(count for state, count in states.items() if not state.final) >= self.asked_limits.jobs:
            raise Busy("full")
        return super().submit(job)


class ForgivesMistakes(Mutant):
    """Does nothing, silently, where it should say that it cannot."""

    caught_by = "mistakes_change_nothing"

    def pause(self, job_id: str) -> None:
        with suppress(Conflict):
            super().pause(job_id)


class FirstComeFirstServed(Mutant):
    """Knows no priority."""

    caught_by = "higher_priority_starts_earlier"

    def submit(self, job: Job) -> str:
        return super().submit(replace(job, priority=0))
