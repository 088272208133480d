"""Mistakes about sinks that fail, and about the end."""

import math
from collections.abc import Sequence
from dataclasses import replace

from log_pipeline.contract import Batch, Limits, Ports, Receipt, Rejected, SinkFailed
from log_pipeline.engine.books import Parcel
from log_pipeline.engine.flow import Flow
from log_pipeline.mutants.spoiled import Mutant, Wrapped, spoiled_sink

__all__ = [
    "BuriesTheWholeBatch",
    "BuriesWhenTheDiskIsFull",
    "DropsWhatWaits",
    "LeavesSendersWaiting",
    "LetsItLinger",
    "NeverAborts",
    "ReturnsWhatIsWritten",
    "TellsOneConsumer",
    "TellsTheWrongStory",
    "TriesWithoutPause",
]


class _Blaming(Wrapped):
    def write(self, batches: Sequence[Batch]) -> None:
        try:
            super().write(batches)
        except SinkFailed as error:
            raise Rejected(str(error)) from None

    def bury(self, batch: Batch, why: str) -> None:
        return


class BuriesWhenTheDiskIsFull(Mutant):
    """Takes a disk that is full for records that are wrong."""

    caught_by = "a_failing_sink_loses_nothing"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_sink(ports, _Blaming)


class TriesWithoutPause(Mutant):
    """Asks a sink that fails again and again."""

    caught_by = "a_failing_sink_loses_nothing"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, retry_base=0.1, retry_cap=0.1)


class BuriesTheWholeBatch(Mutant):
    """Gives up a batch for one of its records."""

    caught_by = "a_poisoned_record_is_buried_alone"

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(ports, limits)
        self._consumer._deliver = self._all_or_nothing  # type: ignore[method-assign]  # the mistake

    def _all_or_nothing(self, parcels: Sequence[Parcel]) -> None:
        for parcel in parcels:
            error = self._consumer._write([parcel])
            if error:
                self._consumer._bury(parcel, error)
            else:
                self._consumer._tell(self._flow.written([parcel]))


class TellsTheWrongStory(Mutant):
    """Says of a batch that it is dead when one of its records is."""

    caught_by = "a_poisoned_record_is_buried_alone"

    def spoil(self, ports: Ports) -> Ports:
        def finished(receipt: Receipt) -> None:
            dead = receipt.dead + receipt.written if receipt.dead else 0
            ports.finished(replace(receipt, written=0, dead=dead) if dead else receipt)

        return replace(ports, finished=finished)


class DropsWhatWaits(Mutant):
    """Has no time at the end for what nobody has begun."""

    caught_by = "stop_drains"

    def stop(self, deadline: float) -> Sequence[Batch]:
        return super().stop(0.0)


class _Lingering(Flow):
    def _until_ripe(self) -> float | None:
        closed, self._closed = self._closed, False
        try:
            return super()._until_ripe()
        finally:
            self._closed = closed


class LetsItLinger(Mutant):
    """Waits at the end, too, for a batch to become full."""

    caught_by = "stop_drains"
    flow = _Lingering


class ReturnsWhatIsWritten(Mutant):
    """Decides what to return before the writes have ended."""

    caught_by = "stop_returns_the_rest"

    def stop(self, deadline: float) -> Sequence[Batch]:
        with self._flow._work:
            known = [parcel.batch for queue in self._flow._waiting.values() for parcel in queue]
        super().stop(deadline)
        return known


class _Unmoved(Flow):
    def _await_room(self, batch: Batch, until: float) -> None:
        while not self._fits(batch):
            self._room.wait(None if math.isinf(until) else until - self._clock.monotonic())


class LeavesSendersWaiting(Mutant):
    """Sends the consumers home, and forgets who waits for room."""

    caught_by = "stop_wakes_whoever_waits"
    flow = _Unmoved


class _OneSentinel(Flow):
    told = False

    def _leaves(self) -> bool:
        leaves = super()._leaves() and not self.told
        self.told = self.told or leaves
        return leaves


class TellsOneConsumer(Mutant):
    """Has one word of the end for all consumers: the others wait for theirs."""

    caught_by = "an_idle_pipeline_ends_at_once"
    flow = _OneSentinel


class _Unstoppable(Wrapped):
    def abort(self) -> None:
        return


class NeverAborts(Mutant):
    """Waits for a write that never returns."""

    caught_by = "a_hanging_sink_is_left"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_sink(ports, _Unstoppable)
