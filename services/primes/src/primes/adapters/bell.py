"""A bell for who must not wait until it has been rung."""

import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["Bell"]


class Bell:
    """Calls `ring`, which may block, or raise `error`, on a thread of its own. Safe from any thread.

    Whoever asks while it is rung has it rung once more, for the first one may have been heard already.
    """

    def __init__(self, ring: Callable[[], object], error: type[Exception]) -> None:
        self._ring, self._error = ring, error
        self._asking = threading.Lock()  # guards what follows
        self._asked = self._ringing = False

    def __call__(self) -> None:
        """Ask for it, and go on at once."""
        with self._asking:
            self._asked = True
            if not self._ringing:
                self._ringing = True
                threading.Thread(target=self._run, name="bell", daemon=True).start()

    def _run(self) -> None:
        while self._due():
            with suppress(self._error):
                self._ring()

    def _due(self) -> bool:
        with self._asking:
            self._ringing, self._asked = self._asked, False
            return self._ringing
