"""Who waits for the end of which batches."""

import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future

from log_pipeline.contract import Receipt


class Receipts:
    """Safe from any thread. A future has the receipts of all its batches, in the order in which they ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._waiting: dict[str, _Expected] = {}

    def expect(self, batch_ids: Iterable[str]) -> "Future[Sequence[Receipt]]":
        """To be called before the batches are submitted: an end is told only once."""
        expected = _Expected(set(batch_ids))
        with self._lock:
            self._waiting.update(dict.fromkeys(expected.missing, expected))
        if not expected.missing:
            expected.future.set_result([])
        return expected.future

    def forget(self, batch_ids: Iterable[str]) -> None:
        """Nobody waits for these any more."""
        with self._lock:
            for batch_id in batch_ids:
                self._waiting.pop(batch_id, None)

    def finished(self, receipt: Receipt) -> None:
        with self._lock:
            expected = self._waiting.pop(receipt.batch_id, None)
            complete = expected is not None and expected.ended(receipt)
        if expected and complete and expected.future.set_running_or_notify_cancel():
            expected.future.set_result(expected.receipts)


class _Expected:
    def __init__(self, missing: set[str]) -> None:
        self.missing, self.receipts = missing, list[Receipt]()
        self.future: Future[Sequence[Receipt]] = Future()

    def ended(self, receipt: Receipt) -> bool:
        self.missing.discard(receipt.batch_id)
        self.receipts.append(receipt)
        return not self.missing
