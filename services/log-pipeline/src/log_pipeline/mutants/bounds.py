"""Mistakes about how much there may be, of what, and how fast."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from log_pipeline.contract import Batch, Busy, Limits, Policy, Priority
from log_pipeline.engine.flow import Flow
from log_pipeline.mutants.spoiled import Mutant

__all__ = [
    "CountsBatches",
    "DropsTheCritical",
    "ForgetsWhatIsInHand",
    "HiresForGood",
    "LooksThenLeaps",
    "NeverDrops",
    "OneBucketForAll",
    "QueuesAtTheDoor",
    "ServesTheDoorByRank",
    "TakesTokensUnseen",
    "WaitsForEver",
    "WaitsWithoutLookingAgain",
]


class LooksThenLeaps(Mutant):
    """Looks whether there is room, and then comes in, whoever else did since."""

    caught_by = "records_are_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, records=1_000_000)

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        while self.stats().ledger.in_flight + batch.records > self.asked.records:
            self._ports.clock.sleep(0.1)
        super().submit(batch, patience)


class _WakesOnce(Flow):
    def _await_room(self, batch: Batch, until: float) -> None:
        if not self._fits(batch):
            self._room.wait(None if math.isinf(until) else until - self._clock.monotonic())
            self._require_open()


class WaitsWithoutLookingAgain(Mutant):
    """Takes being woken for having room."""

    caught_by = "records_are_bounded"
    flow = _WakesOnce


class _CountsWhatWaits(Flow):
    def _fits(self, batch: Batch) -> bool:
        waiting = sum(one.batch.records for queue in self._waiting.values() for one in queue)
        return waiting + batch.records <= self._limits.records


class ForgetsWhatIsInHand(Mutant):
    """Bounds what waits, and not what is being written."""

    caught_by = "records_are_bounded"
    flow = _CountsWhatWaits


class CountsBatches(Mutant):
    """Bounds how many there are, however large."""

    caught_by = "bytes_are_bounded"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, bytes=1_000_000_000)


class WaitsForEver(Mutant):
    """Has endless patience."""

    caught_by = "patience_ends"

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        super().submit(batch)


class _InTurn(Flow):
    def _ticket(self, batch: Batch) -> tuple[float, int]:
        return 0.0, next(self._numbers)


class QueuesAtTheDoor(Mutant):
    """Lets in whoever is first, however urgent the others are."""

    caught_by = "the_urgent_is_let_in_first"
    flow = _InTurn


class _ByRank(Flow):
    def _ticket(self, batch: Batch) -> tuple[float, int]:
        return float(batch.priority), next(self._numbers)


class ServesTheDoorByRank(Mutant):
    """Lets in the urgent ones first, as long as there are any."""

    caught_by = "nobody_is_kept_out_for_ever"
    flow = _ByRank


class TakesTokensUnseen(Mutant):
    """Takes the tokens when it sends, not when it asks: two who wait take the same ones."""

    caught_by = "the_rate_is_exact"

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        try:
            super().submit(batch, 0.0)
        except Busy:
            self._ports.clock.sleep(batch.records / self._limits.rate)
            super().submit(replace(batch, source=f"{batch.source}, after {batch.id}"), patience)


class OneBucketForAll(Mutant):
    """Slows everybody when one is too fast."""

    caught_by = "the_rate_is_exact"

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        super().submit(replace(batch, source="all"), patience)


class _SamePolicy(Mapping[Priority, Policy]):
    def __getitem__(self, priority: Priority) -> Policy:
        return Policy.DROP

    def __iter__(self) -> Iterator[Priority]:
        return iter(Priority)

    def __len__(self) -> int:
        return len(Priority)


class DropsTheCritical(Mutant):
    """Has one policy for all."""

    caught_by = "what_is_beyond_the_rate_is_counted"

    def stretch(self, limits: Limits) -> Limits:
        copy = replace(limits)
        object.__setattr__(copy, "policies", _SamePolicy())  # past what the limits refuse
        return copy


class NeverDrops(Mutant):
    """Lets a source wait that should not be waited for."""

    caught_by = "what_is_beyond_the_rate_is_counted"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, policies=dict.fromkeys(Priority, Policy.WAIT))


class HiresForGood(Mutant):
    """Never lets a consumer go."""

    caught_by = "consumers_come_and_go"
    hired = 0

    def scale(self, consumers: int) -> None:
        self.hired = max(self.hired, consumers)
        super().scale(self.hired)
