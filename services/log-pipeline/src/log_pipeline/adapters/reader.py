"""The bytes of one sender, cut into records, joined where several lines are one, sorted into batches."""

from collections.abc import Sequence

from log_pipeline.adapters.intake import Intake
from log_pipeline.contract import Batch
from log_pipeline.core.framing import Framer
from log_pipeline.core.multiline import Joiner

LONGEST = 16 * 1024 * 1024  # bytes of one record, unless half of what may be in flight is less


class Reader:
    """For one thread. Each method returns the batches that are complete by it.

    What has begun is cut when all readers together would hold too much.
    """

    def __init__(self, intake: Intake, source: str) -> None:
        self._intake, self._source = intake, source
        longest = min(LONGEST, intake.limits.bytes // 2)
        self._framer, self._joiner = Framer(longest), Joiner(longest)
        self._held = 0

    @property
    def pending(self) -> int:
        """Bytes that were fed and are in no batch yet."""
        return self._framer.pending + self._joiner.pending

    def feed(self, data: bytes) -> list[Batch]:
        cut = self._framer.cut
        batches = self._sorted(self._framer.feed(data))
        if self._framer.cut > cut:
            self._intake.odd("cut", self._framer.cut - cut)
        return batches if self._holds() else batches + self._cut()

    def pause(self) -> list[Batch]:
        """Nothing came for a while: what was held back, in case it goes on, is whole."""
        batches = self._records(self._joiner.flush())
        self._holds()
        return batches

    def end(self) -> list[Batch]:
        """Nothing more comes: what was begun is a record, too."""
        return [*self._sorted(self._framer.flush()), *self.pause()]

    def close(self) -> None:
        """Nobody will ask for what was begun: let others hold as much."""
        self._intake.begun.change(-self._held)
        self._held = 0

    def _holds(self) -> bool:
        """Whether what has begun may be held."""
        pending = self.pending
        if not self._intake.begun.change(pending - self._held):
            return False
        self._held = pending
        return True

    def _cut(self) -> list[Batch]:
        self._intake.odd("cut", 1)
        return self.end()

    def _sorted(self, found: bytes | list[bytes]) -> list[Batch]:
        if isinstance(found, list):
            return self._records(found)
        if not found.startswith(b"{"):
            return self._records(self._joiner.feed(found.split(b"\n")[:-1]))
        before = self.pause()
        block = self._intake.sort_block(found, self._source)
        if block:
            return before + block.batches
        return before + self._records(self._joiner.feed(found.split(b"\n")[:-1]))

    def _records(self, records: Sequence[bytes]) -> list[Batch]:
        return self._intake.sort(records, self._source).batches if records else []
