"""Faults of the sink, switched on at run time; and an end to whatever hangs in it."""

import threading
from collections.abc import Sequence

from lab_kit.faults import Fault, Faults
from log_pipeline.contract import Batch, Rejected, Sink, SinkFailed

FAULTS = (
    Fault("slow-sink", "seconds", "every write takes this much longer", 2.0),
    Fault("full-disk", "probability", "a write finds no space left"),
    Fault(
        "hanging-sink", "probability", "a write does not return until the fault is off or the engine stops"
    ),
    Fault("poison", "probability", "the sink rejects a write of more than nothing"),
)
LOOK_SECONDS = 0.05


class FaultySink:
    """The sink port of one engine. Its `abort` ends every wait in it, and lets no later write through."""

    def __init__(self, inner: Sink, faults: Faults) -> None:
        self._inner, self._faults = inner, faults
        self._aborted = threading.Event()

    def write(self, batches: Sequence[Batch]) -> None:
        self._suffer()
        if self._faults.drawn("poison"):
            raise Rejected("the fault `poison` is on")
        self._inner.write(batches)

    def bury(self, batch: Batch, why: str) -> None:
        self._suffer()
        self._inner.bury(batch, why)

    def abort(self) -> None:
        self._aborted.set()
        self._inner.abort()

    def _suffer(self) -> None:
        if self._faults.fired("slow-sink"):
            self._aborted.wait(self._faults.magnitude("slow-sink"))
        if self._faults.drawn("hanging-sink"):
            while self._faults.magnitude("hanging-sink") and not self._aborted.wait(LOOK_SECONDS):
                pass
        if self._aborted.is_set():
            raise SinkFailed("the engine is stopping")
        if self._faults.drawn("full-disk"):
            raise SinkFailed("no space left on device (the fault `full-disk` is on)")
