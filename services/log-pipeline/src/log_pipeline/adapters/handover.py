"""From one engine to the next, and from one life to the next: what is left is on the disk."""

import math
import threading
from collections.abc import Callable, MutableMapping, Sequence
from concurrent.futures import Future
from typing import Protocol

import structlog

from log_pipeline.adapters.spill import Spill
from log_pipeline.contract import Batch, LogPipeline, Stats

QUIET_SHARE, LONGEST_QUIET = 0.25, 2.0
LATE, LAST_QUIET = 2.0, 2.5
"""Of the kit's five seconds beyond the deadline: for a last write, and for who waited for room."""
log = structlog.get_logger(__name__)


class Source(Protocol):
    """A sender's side that can be asked to come to an end."""

    def join(self, timeout: float) -> None: ...


class Handover:
    """An engine that leaves nothing in memory when it stops, even one that cannot say what it has.

    `owed` is what was accepted and has not ended: whoever hears of an end takes it out.
    """

    def __init__(
        self,
        engine: LogPipeline,
        spill: Spill,
        end_sources: Callable[[float], None],
        owed: MutableMapping[str, Batch],
    ) -> None:
        self._engine, self._spill, self._end_sources, self._owed = engine, spill, end_sources, owed
        self.scale = engine.scale

    def start(self, batches: Sequence[Batch]) -> None:
        self._owed.update((batch.id, batch) for batch in batches)
        self._engine.start(batches)

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        self._owed[batch.id] = batch  # before its end can be told
        try:
            self._engine.submit(batch, patience)
        except BaseException:
            self._owed.pop(batch.id, None)
            raise

    def stats(self) -> Stats:
        return self._engine.stats()

    def stop(self, deadline: float) -> Sequence[Batch]:
        """End the sources if this is the end of all; then the engine; keep what it returns."""
        quiet = min(LONGEST_QUIET, deadline * QUIET_SHARE)
        self._end_sources(quiet)
        left = self._left(deadline if math.isinf(deadline) else deadline - quiet)
        self._keep(left)
        self._end_sources(LAST_QUIET)
        return left

    def _left(self, deadline: float) -> Sequence[Batch]:
        """What the engine returns. If it raises, or hangs in a write that nothing ends: what is owed; then some of
        it may be written twice."""
        stopped = Future[Sequence[Batch]]()

        def stop() -> None:
            try:
                stopped.set_result(self._engine.stop(deadline))
            except BaseException as error:
                stopped.set_exception(error)

        threading.Thread(target=stop, name="stop", daemon=True).start()
        try:
            return stopped.result(None if math.isinf(deadline) else deadline + LATE)
        except Exception as error:
            log.exception("the engine did not stop: what has not ended is taken from it", error=repr(error))
            return list(self._owed.values())

    def _keep(self, left: Sequence[Batch]) -> None:
        """A disk that takes nothing does not keep it from the next engine."""
        try:
            self._spill.save(left)
        except OSError as error:
            records = sum(batch.records for batch in left if not batch.replayable)
            log.error(
                "what is left has no place on the disk for another life", records=records, error=str(error)
            )
