"""Mistakes about bounds, and about the end of the engine."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from downloader.contract import Job, Limits, Ports
from downloader.mutants.spoiled import Mutant, Wrapped, spoiled_answer, spoiled_disk, spoiled_web

__all__ = [
    "BeginsAnew",
    "DrainsOnlyWhatRuns",
    "HiresTooMany",
    "LeavesAnswersOpen",
    "LeavesThePoolOpen",
    "OverrunsAHost",
    "PromisesTooEarly",
    "ReturnsTooLittle",
]


class HiresTooMany(Mutant):
    """Begins one transfer more than it may."""

    caught_by = "workers_are_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, workers=limits.workers + 1)


class OverrunsAHost(Mutant):
    """Bounds only the transfers in all."""

    caught_by = "each_host_is_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, per_host=limits.workers)


class DrainsOnlyWhatRuns(Mutant):
    """Lets finish what has begun, and drops the queue."""

    caught_by = "shutdown_drains"

    def shutdown(self, *, drain: bool = True) -> Sequence[Job]:
        return self.stop(math.inf if drain else 0.0)


class ReturnsTooLittle(Mutant):
    """Returns what was running, and forgets what waited."""

    caught_by = "stop_returns_the_unfinished"

    def stop(self, deadline: float) -> Sequence[Job]:
        return [job for job in super().stop(deadline) if self.status(job.id).received]


class BeginsAnew(Mutant):
    """Does not look on the disk."""

    caught_by = "goes_on_after_a_restart"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_disk(ports, load=lambda destination: None)


class PromisesTooEarly(Mutant):
    """Saves a checkpoint of bytes that it has not written yet."""

    caught_by = "survives_a_crash"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_disk(ports, create=lambda name: WritesLater(ports.storage.create(name)))


class WritesLater(Wrapped):
    """A part file that holds back what is written until it has to show it."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner, held=[])

    def write(self, data: memoryview, offset: int) -> None:
        self.held.append((bytes(data), offset))

    def __getattr__(self, name: str) -> Any:
        for data, offset in self.held:
            self.inner.write(memoryview(data), offset)
        self.held.clear()
        return super().__getattr__(name)


class LeavesThePoolOpen(Mutant):
    """Never shuts its pools down."""

    caught_by = "leaves_nothing_behind"

    def spoil(self, ports: Ports) -> Ports:
        def executor(name: str, workers: int) -> Any:
            return Wrapped(ports.executor(name, workers), shutdown=lambda wait=True: None)

        return replace(ports, executor=executor)


class LeavesAnswersOpen(Mutant):
    """Never closes an answer."""

    caught_by = "leaves_nothing_behind"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_web(ports, lambda found: spoiled_answer(found, close=lambda: None))
