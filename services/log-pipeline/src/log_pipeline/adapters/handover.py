"""From one engine to the next, and from one life to the next: what is left is on the disk."""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from log_pipeline.adapters.spill import Spill
from log_pipeline.contract import Batch, LogPipeline, Stats

QUIET_SHARE, LONGEST_QUIET = 0.25, 2.0
LAST_QUIET = (
    4.0  # seconds for those who waited for room to put it on the disk; the kit has five beyond the deadline
)
log = structlog.get_logger(__name__)


class Source(Protocol):
    """A sender's side that can be asked to come to an end."""

    def join(self, timeout: float) -> None: ...


class Handover:
    """An engine that leaves nothing in memory when it stops."""

    def __init__(self, engine: LogPipeline, spill: Spill, end_sources: Callable[[float], None]) -> None:
        self._engine, self._spill, self._end_sources = engine, spill, end_sources
        self.submit, self.scale = engine.submit, engine.scale

    def start(self, batches: Sequence[Batch]) -> None:
        self._engine.start(batches)

    def stats(self) -> Stats:
        return self._engine.stats()

    def stop(self, deadline: float) -> Sequence[Batch]:
        """End the sources if this is the end of all; then the engine; keep what it returns."""
        quiet = min(LONGEST_QUIET, deadline * QUIET_SHARE)
        self._end_sources(quiet)
        left = self._engine.stop(deadline if math.isinf(deadline) else deadline - quiet)
        self._keep(left)
        self._end_sources(LAST_QUIET)
        return left

    def _keep(self, left: Sequence[Batch]) -> None:
        """A disk that takes nothing does not keep it from the next engine."""
        try:
            self._spill.save(left)
        except OSError as error:
            records = sum(batch.records for batch in left if not batch.replayable)
            log.error(
                "what is left has no place on the disk for another life", records=records, error=str(error)
            )
