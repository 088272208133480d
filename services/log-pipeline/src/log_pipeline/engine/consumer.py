"""What a consumer does between two looks at the queue: it waits for the sink, and never with the lock held."""

from collections.abc import Sequence

from log_pipeline.contract import Limits, Ports, Receipt, SinkFailed
from log_pipeline.engine.books import Parcel
from log_pipeline.engine.flow import Ending, Flow


class Consumer:
    """Writes parcels until the flow lets it go. Any number of threads may run the same one."""

    def __init__(self, ports: Ports, limits: Limits, flow: Flow) -> None:
        self._ports, self._limits, self._flow = ports, limits, flow

    def run(self) -> None:
        while parcels := self._flow.take():
            try:
                with self._ports.tracer.span("write", parcels[0].batch.id):
                    self._deliver(parcels)
            finally:
                self._flow.rested()

    def _deliver(self, parcels: Sequence[Parcel]) -> None:
        """Halve what is rejected until the culprit is alone; then insist, and give it up."""
        try:
            error = self._write(parcels)
            if error is None:
                return self._tell(self._flow.written(parcels))
            halves = _halves(parcels)
            if not halves:
                return self._insist(parcels[0], error)
        except Ending:
            return self._flow.hand_back(parcels)
        for half in halves:
            self._deliver(half)

    def _write(self, parcels: Sequence[Parcel]) -> Exception | None:
        """Write all or nothing, however long the sink takes nothing at all; why not, if these are rejected."""
        attempt = 0
        while True:
            try:
                self._ports.sink.write([parcel.batch for parcel in parcels])
            except SinkFailed as error:
                self._flow.retry(error, self._delay(attempt))
                attempt += 1
            except Exception as error:  # of these records, for all we know
                return error
            else:
                return None

    def _insist(self, parcel: Parcel, error: Exception) -> None:
        for attempt in range(1, self._limits.attempts):
            self._flow.retry(error, self._delay(attempt - 1))
            again = self._write([parcel])
            if again is None:
                return self._tell(self._flow.written([parcel]))
            error = again
        self._bury(parcel, error)

    def _bury(self, parcel: Parcel, error: Exception) -> None:
        attempt = 0
        while True:
            try:
                self._ports.sink.bury(parcel.batch, str(error))
            except SinkFailed as failure:
                self._flow.retry(failure, self._delay(attempt))
                attempt += 1
            else:
                return self._tell(self._flow.buried(parcel))

    def _delay(self, attempt: int) -> float:
        return float(min(self._limits.retry_cap, self._limits.retry_base * 2 ** min(attempt, 30)))

    def _tell(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            self._ports.finished(receipt)


def _halves(parcels: Sequence[Parcel]) -> Sequence[Sequence[Parcel]]:
    """Two parts; nothing for a single record, which has none."""
    if len(parcels) == 1:
        return [[half] for half in parcels[0].halves()] if parcels[0].batch.records > 1 else []
    middle = len(parcels) // 2
    return [parcels[:middle], parcels[middle:]]
