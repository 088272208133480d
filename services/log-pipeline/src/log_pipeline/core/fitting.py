"""Batches that are larger than all that may be in flight: they would never be accepted."""

from collections.abc import Sequence

from log_pipeline.contract import Batch, Limits


def fitting(batches: Sequence[Batch], limits: Limits) -> list[Batch]:
    """The same records in the same order, in batches that can be accepted; a single record is left as it is."""
    return [part for batch in batches for part in _parts(batch, limits)]


def _parts(batch: Batch, limits: Limits) -> list[Batch]:
    fits = batch.records <= limits.records and len(batch.payload) <= limits.bytes
    if fits or batch.records == 1:
        return [batch]
    lines, middle = batch.lines(), batch.records // 2
    return fitting([_of(batch, lines[:middle]), _of(batch, lines[middle:])], limits)


def _of(batch: Batch, lines: Sequence[bytes]) -> Batch:
    return Batch(batch.source, batch.priority, b"\n".join([*lines, b""]), len(lines))
