"""The counters of the experiment `counter`, in a file of their own: a search switches threads here alone."""

import threading


class Unlocked:
    """What a newcomer writes: `value += 1` reads, adds and writes."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, times: int) -> None:
        for _ in range(times):
            self.value += 1


class Locked(Unlocked):
    """The same in one step, for whoever else takes the lock."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, times: int) -> None:
        for _ in range(times):
            with self._lock:
                self.value += 1
