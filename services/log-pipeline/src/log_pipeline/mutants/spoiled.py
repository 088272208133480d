"""The reference behind spoiled ports, limits or flow: what the wrong solutions are made of."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, cast

from log_pipeline.contract import Batch, Limits, Ports, Sink
from log_pipeline.engine import LogPipeline
from log_pipeline.engine.flow import Flow

__all__ = ["Mutant", "Wrapped", "spoiled_sink"]


class Mutant(LogPipeline):
    """The reference with one part exchanged. `caught_by` names the check that has to reject it."""

    caught_by: ClassVar[str]
    flow: ClassVar[type[Flow]] = Flow

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self.asked = limits or Limits()
        super().__init__(self.spoil(ports), self.stretch(self.asked))
        self._flow = self._consumer._flow = self.flow(self._ports, self._limits)

    def spoil(self, ports: Ports) -> Ports:
        return ports

    def stretch(self, limits: Limits) -> Limits:
        return limits


class Wrapped:
    """The sink, but for what a mutant changes."""

    def __init__(self, inner: Sink) -> None:
        self.inner = inner

    def write(self, batches: Sequence[Batch]) -> None:
        self.inner.write(batches)

    def bury(self, batch: Batch, why: str) -> None:
        self.inner.bury(batch, why)

    def abort(self) -> None:
        self.inner.abort()


def spoiled_sink(ports: Ports, kind: type[Wrapped]) -> Ports:
    """`ports` with a sink behind a `kind`."""
    return replace(ports, sink=cast(Sink, kind(ports.sink)))
