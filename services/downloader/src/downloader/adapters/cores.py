"""On which processor a thread runs.

Only one thread of a process runs Python at a time, and every system call hands the interpreter lock on. On one
processor that is a switch between threads, between two it is an interrupt and a wait for a processor that slept
(Beazley, "Understanding the Python GIL", 2010). So threads that mostly run Python are faster together, and those
that mostly copy or hash, without the lock, are faster apart.
"""

import os
import random
import sys
import threading
from contextlib import suppress


class AnyCore:
    """Leaves it all to the scheduler."""

    def gather(self) -> None: ...
    def spread(self) -> None: ...


class HomeCore:
    """Binds threads to one of the processors that the process may use, chosen by chance, so that several processes
    do not all choose the same. A thread that a bound one starts is bound as well, until it says otherwise. May be
    called by any thread; costs nothing while nothing changes."""

    def __init__(self) -> None:
        self._all = os.sched_getaffinity(0)
        self._home = {random.choice(sorted(self._all))}
        self._here = threading.local()

    def gather(self) -> None:
        """The calling thread mostly runs Python from now on: on one processor, with all who said so."""
        self._move(self._home)

    def spread(self) -> None:
        """It mostly works without the interpreter lock from now on: on any processor."""
        self._move(self._all)

    def _move(self, cores: set[int]) -> None:
        if getattr(self._here, "cores", None) is not cores:
            self._here.cores = cores
            with suppress(OSError):  # these processors were taken away: the thread stays where it may be
                os.sched_setaffinity(0, cores)


def home_core() -> AnyCore | HomeCore:
    """A `HomeCore` where it helps: where the system binds threads, and an interpreter lock binds them already."""
    locked = getattr(sys, "_is_gil_enabled", lambda: True)()
    can_bind = hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1
    return HomeCore() if locked and can_bind else AnyCore()
