"""The engine's face: it hires consumers, and sees the flow through to its end."""

import math
from collections.abc import Sequence
from contextlib import suppress

from log_pipeline.contract import Batch, Limits, Ports, Stats, TooLarge
from log_pipeline.contract import LogPipeline as Contract
from log_pipeline.engine.consumer import Consumer
from log_pipeline.engine.flow import Flow


class LogPipeline(Contract):
    """See the contract. Whatever threads share is in the flow, behind its one lock."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        self._ports, self._limits = ports, limits or Limits()
        self._flow = Flow(ports, self._limits)
        self._consumer = Consumer(ports, self._limits, self._flow)
        self._pool = ports.executor("consume", self._limits.max_consumers)

    def start(self, batches: Sequence[Batch]) -> None:
        self._flow.restore(batches)
        self.scale(self._limits.consumers)

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        if batch.records > self._limits.records or len(batch.payload) > self._limits.bytes:
            raise TooLarge(
                f"{batch.records} records of {len(batch.payload):,} bytes can never fit: at most "
                f"{self._limits.records:,} records and {self._limits.bytes:,} bytes are in flight at once"
            )
        receipt = self._flow.admit(batch, patience)
        if receipt:
            self._ports.finished(receipt)

    def scale(self, consumers: int) -> None:
        for _ in range(self._flow.hire(max(1, min(consumers, self._limits.max_consumers)))):
            with suppress(RuntimeError):  # `stop` came in between
                self._pool.submit(self._consumer.run)

    def stats(self) -> Stats:
        return self._flow.stats()

    def stop(self, deadline: float) -> Sequence[Batch]:
        self._flow.close(deadline)
        self._ports.sink.abort()
        self._pool.shutdown(cancel_futures=True)
        return self._flow.rest()
