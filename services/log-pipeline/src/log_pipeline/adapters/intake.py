"""Between the senders and the engine of the moment: nothing that was read is lost when engines change or end."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from lab_kit.ports import Clock
from log_pipeline.adapters.allowance import Allowance
from log_pipeline.adapters.spill import Spill
from log_pipeline.contract import Batch, Busy, Closed, Limits, LogPipeline, TooLarge
from log_pipeline.core.alerts import Alert, Rules
from log_pipeline.core.fitting import fitting
from log_pipeline.core.sorting import Sorted, sort_block, sort_records

PAUSE = 0.02


class Observer(Protocol):
    """What is told of everything that arrives. Safe from any thread."""

    def arrived(self, found: Sorted) -> None: ...
    def refused(self, source: str, records: int) -> None: ...


class Intake:
    """Gives sorted records to the engine. Safe from any thread; `submit` blocks as long as the engine is full.

    `begun` is what all readers together may hold of records that have begun and not ended.
    """

    def __init__(
        self, engine: Callable[[], LogPipeline], clock: Clock, spill: Spill, rules: Rules, observer: Observer,
        begun: Allowance, limits: Limits,
    ) -> None:  # fmt: skip
        self._engine, self._spill, self.clock, self._observer = engine, spill, clock, observer
        self._rules, self.begun, self.limits = rules, begun, limits
        self._watching = threading.Lock()  # guards the rules, and the alerts not yet fetched
        self._alerts: list[Alert] = []
        self.ending = threading.Event()

    def submit(self, batch: Batch) -> None:
        """Submit however long it takes: to the next engine if this one ends, to the disk if it was the last."""
        while True:
            try:
                return self._submit(batch)
            except Closed:
                if self.ending.is_set():
                    return self._spill.save([batch])
                self.ending.wait(PAUSE)

    def offer(self, batch: Batch, patience: float) -> bool:
        """Submit if there is room within `patience` seconds; else it is counted as refused."""
        try:
            self._submit(batch, patience)
        except (Busy, Closed, TooLarge):
            self._observer.refused(batch.source.partition(":")[0], batch.records)
            return False
        return True

    def attempt(self, batches: Sequence[Batch], until: float) -> None:
        """Submit all until a moment of the clock; raises `Busy`, `Closed`, `TooLarge`, and then a first part may
        have been accepted."""
        for batch in batches:
            self._submit(batch, max(0.0, until - self.clock.monotonic()))

    def sort(self, records: Sequence[bytes], source: str) -> Sorted:
        """Parse and count records of any format."""
        found = sort_records(records, source, self.clock.time(), self.limits.bytes)
        return self._arrived(found)

    def sort_block(self, block: bytes, source: str) -> Sorted | None:
        """Parse and count lines that are all JSON, as they are; None, and nothing is counted, if one is not."""
        found = sort_block(block, source, self.clock.time())
        return self._arrived(found) if found else None

    def odd(self, what: str, count: int) -> None:
        """Count what the parser does not see."""
        self._observer.arrived(Sorted(oddities=Counter({what: count})))

    def alerts(self) -> list[Alert]:
        """What the rules had to say since the last call; their windows are of a clock that nobody sets."""
        with self._watching:
            now, epoch = self.clock.monotonic(), self.clock.time()
            alerts, self._alerts = [*self._alerts, *self._rules.tick(now)], []
            return [replace(alert, time=epoch - (now - alert.time)) for alert in alerts]

    def _arrived(self, found: Sorted) -> Sorted:
        self._observer.arrived(found)
        found.batches = fitting(found.batches, self.limits)
        return found

    def _submit(self, batch: Batch, patience: float = float("inf")) -> None:
        self._engine().submit(batch, patience)
        with self._watching:
            self._alerts += self._rules.see(batch, self.clock.monotonic())
