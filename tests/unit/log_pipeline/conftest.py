"""An intake before an engine that takes everything at once, or raises what it is told to."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from lab_kit.simulated import SimulatedClock
from log_pipeline.adapters.allowance import Allowance
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.adapters.spill import Spill
from log_pipeline.contract import Batch, Limits, LogPipeline, Receipt
from log_pipeline.core.alerts import Rules
from log_pipeline.core.sorting import Sorted


class Door:
    """The engine; `holding` keeps what it accepts from ending."""

    def __init__(self, receipts: Receipts) -> None:
        self._receipts = receipts
        self.batches: list[Batch] = []
        self.error: Exception | None = None
        self.holding = False

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        if self.error:
            raise self.error
        self.batches.append(batch)
        if not self.holding:
            self.end(batch)

    def end(self, batch: Batch) -> None:
        self._receipts.finished(Receipt(batch.id, written=batch.records))

    @property
    def lines(self) -> list[bytes]:
        return [line for batch in self.batches for line in batch.lines()]


class Site:
    """`intake` and what is around it."""

    def __init__(self, folder: Path, rules: Sequence[object] = ()) -> None:
        self.folder, self.receipts, self.clock = folder, Receipts(), SimulatedClock()
        self.door, self.limits, self.begun = Door(self.receipts), Limits(), Allowance(64 * 1024 * 1024)
        self.spill = Spill(folder / "spill")
        self.seen, self.refusals = Sorted(), 0
        self.rules = Rules([], self.clock.monotonic())

    @property
    def intake(self) -> Intake:
        engine = lambda: cast(LogPipeline, self.door)  # noqa: E731
        return Intake(engine, self.clock, self.spill, self.rules, self, self.begun, self.limits)

    def arrived(self, found: Sorted) -> None:
        self.seen.oddities += found.oddities

    def refused(self, source: str, records: int) -> None:
        self.refusals += records


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)
