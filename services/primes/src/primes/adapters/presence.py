"""How many workers are there, for who must not wait: a scrape is answered from what is known."""

import threading
import time
from collections.abc import Callable

__all__ = ["Presence"]


class Presence:
    """What `ask` said last, for `seconds`; after that nobody is known to be there. Safe from any thread.

    `ask` may block, or raise `error`: it is asked on a thread of its own, never twice at once.
    """

    def __init__(self, ask: Callable[[], int], error: type[Exception], seconds: float) -> None:
        self._ask, self._error, self._seconds = ask, error, seconds
        self._knowing = threading.Lock()  # guards what follows
        self._count, self._until, self._asking = 0, 0.0, False

    def __call__(self) -> int:
        """At once; and ask again, for who comes next."""
        with self._knowing:
            if not self._asking:
                self._asking = True
                threading.Thread(target=self._learn, name="presence", daemon=True).start()
            return self._count if time.monotonic() < self._until else 0

    def _learn(self) -> None:
        try:
            count = self._ask()
        except self._error:
            count = None
        with self._knowing:
            self._asking = False
            if count is not None:
                self._count, self._until = count, time.monotonic() + self._seconds
