"""What senders may hold in memory before an engine has it, whose own bounds count only what it has accepted."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from log_pipeline.contract import Busy


class Allowance:
    """At most `most` bytes at once, for all who ask. Safe from any thread."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._lock = threading.Lock()  # guards `_held`

    def change(self, by: int) -> bool:
        """Hold `by` bytes more, or fewer. False, and nothing is changed, if that would be too many."""
        with self._lock:
            if by > 0 and self._held + by > self._most:
                return False
            self._held += by
            return True

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """A function that holds more, and raises `Busy` if that would be too many, until the block ends."""
        held = 0

        def hold(more: int) -> None:
            nonlocal held
            if not self.change(more):
                raise Busy(f"senders hold {self._most:,} bytes already: try again in a few seconds")
            held += more

        try:
            yield hold
        finally:
            self.change(-held)
