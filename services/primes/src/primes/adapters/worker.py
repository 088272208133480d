"""A worker process of the local crew: `python -m primes.adapters.worker FD KERNEL MEBIBYTES`.

It says on its pipe what happens, and ends when nobody is at the other end. Its parts go into shared memory.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection

from primes.adapters.confine import confine
from primes.adapters.kernels import Kernel, choose, measure
from primes.adapters.memory import Rows
from primes.contract import Happened, News, Order

__all__ = ["BEAT", "main"]

BEAT = 0.5  # seconds between two signs of life


class Worker:
    """Computes one order after the other; a thread beside it gives signs of life."""

    def __init__(self, pipe: Connection, kernel: Kernel) -> None:
        self._pipe, self._kernel, self._rows = pipe, kernel, Rows()
        self._name = f"worker-{os.environ.get('PRIMES_SLOT', os.getpid())}"
        self._sending = threading.Lock()
        self._order: Order | None = None

    def run(self) -> None:
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        with suppress(EOFError, OSError):
            self._pipe.send(None)  # ready: until now nothing was given to this process
            while True:
                self._do(*self._pipe.recv())

    def _do(self, order: Order, deadly: bool) -> None:
        if not self._rows.open(order.board):
            return self._tell(Happened.FAILED, order, reason="dropped")
        if self._rows.known(order.tile):
            return self._tell(Happened.DONE, order)
        self._order = order
        self._tell(Happened.BEGAN, order)
        if deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        began = time.perf_counter()
        try:
            self._rows.write(order.tile, measure(self._kernel, order.tile))
        except (ValueError, MemoryError) as error:
            self._tell(Happened.FAILED, order, reason=str(error))
        else:
            self._tell(Happened.DONE, order, time.perf_counter() - began)
        finally:
            self._order = None

    def _tell(self, what: Happened, order: Order, seconds: float = 0.0, reason: str = "") -> None:
        with self._sending:
            self._pipe.send(News(what, order, self._name, seconds, reason))

    def _beat(self) -> None:
        with suppress(OSError):
            while True:
                time.sleep(BEAT)
                order = self._order
                if order:
                    self._tell(Happened.ALIVE, order)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; who hired us decides
    confine(int(sys.argv[3]))
    Worker(Connection(int(sys.argv[1])), choose(sys.argv[2])).run()


if __name__ == "__main__":
    main()
