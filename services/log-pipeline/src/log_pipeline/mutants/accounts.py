"""Mistakes about what is written, in which order, and how it is counted."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from log_pipeline.contract import Batch, Limits, Ports, Receipt, Stats
from log_pipeline.engine.books import Parcel
from log_pipeline.engine.flow import Flow
from log_pipeline.mutants.spoiled import Mutant, Wrapped, spoiled_sink

__all__ = [
    "AsksWithTheLockHeld",
    "CountsBeforeItWrites",
    "CountsWithoutLock",
    "FirstComeFirstServed",
    "KnowsNoAge",
    "LastComeFirstServed",
    "LooksTwice",
    "NeverLingers",
    "SharesItsHands",
    "WaitsUntilItIsWorthIt",
]


class SharesItsHands(Mutant):
    """Keeps what is being written in one place for all consumers."""

    caught_by = "every_record_is_written_once"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_sink(ports, _OneHand)


class _OneHand(Wrapped):
    def write(self, batches: Sequence[Batch]) -> None:
        self.hand: list[Batch] = []
        for batch in batches:
            self.hand.append(batch)  # one after another, as the mistake is made
        super().write(self.hand)


class CountsWithoutLock(Mutant):
    """Adds up what was accepted without a lock."""

    caught_by = "the_books_balance_at_every_instant"
    counted = 0

    def submit(self, batch: Batch, patience: float = 1e9) -> None:
        super().submit(batch, patience)
        self.counted += batch.records

    def stats(self) -> Stats:
        stats = super().stats()
        return replace(stats, ledger=replace(stats.ledger, accepted=self.counted))


class LooksTwice(Mutant):
    """Puts the ledger together from two moments."""

    caught_by = "the_books_balance_at_every_instant"

    def stats(self) -> Stats:
        before, now = super().stats(), super().stats()
        return replace(now, ledger=replace(now.ledger, in_flight=before.ledger.in_flight))


class _Hopeful(Flow):
    def _group(self) -> list[Parcel]:
        group = super()._group()
        for parcel in group:
            self._books.write(parcel)
        return group

    def written(self, parcels: Sequence[Parcel]) -> list[Receipt]:
        with self._room:
            return self._ended(parcels)


class CountsBeforeItWrites(Mutant):
    """Counts as written what it is about to write."""

    caught_by = "the_books_balance_at_every_instant"
    flow = _Hopeful


class FirstComeFirstServed(Mutant):
    """Knows no priority."""

    caught_by = "the_urgent_goes_first"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, aging=0.0)


class _Stack(deque[Parcel]):
    def popleft(self) -> Parcel:
        return self.pop()


class _Stacks(Flow):
    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, limits)
        self._waiting = {priority: _Stack() for priority in self._waiting}


class LastComeFirstServed(Mutant):
    """Takes from the wrong end."""

    caught_by = "the_urgent_goes_first"
    flow = _Stacks


class KnowsNoAge(Mutant):
    """Serves what is urgent as long as there is any."""

    caught_by = "nothing_starves"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, aging=1e9)


class NeverLingers(Mutant):
    """Writes each record as it comes."""

    caught_by = "small_batches_are_written_together"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, linger=0.0, batch_bytes=1)


class WaitsUntilItIsWorthIt(Mutant):
    """Waits for a full batch, however long that takes."""

    caught_by = "small_batches_are_written_together"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, linger=1e6)


class AsksWithTheLockHeld(Mutant):
    """Tells of an end while it holds the lock: who is told, and asks something, waits for ever."""

    caught_by = "each_batch_is_told_once"

    def spoil(self, ports: Ports) -> Ports:
        def finished(receipt: Receipt) -> None:
            with self._flow._work:
                ports.finished(receipt)

        return replace(ports, finished=finished)
