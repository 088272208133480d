"""The local crew: processes of this machine, each on a pipe of its own.

No queue is shared: a process that dies while it holds a queue's lock would stop all others. Orders wait here, and
whoever is free gets the oldest.
"""

import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait

from primes.adapters.confine import MEBIBYTES
from primes.contract import Happened, News, Order, Unavailable

__all__ = ["ProcessCrew"]

END_SECONDS = 2.0


class _Hand:
    """One worker process, and what it has in hand. The next order waits in its pipe, so that it need not wait."""

    def __init__(self, slot: int, kernel: str, memory: int) -> None:
        self.name, self.orders, self.ready = f"worker-{slot}", deque[Order](), False
        self.pipe, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "primes.adapters.worker", str(theirs.fileno()), kernel, str(memory)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, "PRIMES_SLOT": str(slot), "PYTHONSAFEPATH": "1"},
            )

    def give(self, order: Order, deadly: bool) -> None:
        self.orders.append(order)
        with suppress(OSError):  # it has died: whoever reads its pipe finds out
            self.pipe.send((order, deadly))

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.wait()


class ProcessCrew:
    """The port `crew`: `workers` processes with `memory` MiB each, which start when needed. See the contract."""

    def __init__(self, workers: int, kernel: str = "auto", backlog: int = 2, memory: int = MEBIBYTES) -> None:
        self._workers, self._kernel, self._backlog, self._memory = workers, kernel, backlog, memory
        self._again, self._waiting = deque[tuple[Order, bool]](), deque[tuple[Order, bool]]()
        self._hands: dict[int, _Hand] = {}
        self._bell, self._button = socket.socketpair()
        for end in (self._bell, self._button):  # a bell that rings already need not be rung again
            end.setblocking(False)

    def size(self) -> int:
        """Those that are ready; the first question lets them start."""
        self._hire()
        return sum(hand.ready for hand in self._hands.values())

    def present(self) -> int:
        """Those that live, ready or not. From any thread."""
        return sum(hand.process.poll() is None for hand in list(self._hands.values()))

    def idle(self) -> bool:
        """Whether there is no order, neither in a queue nor in anybody's hands."""
        return not self._again and not self._waiting and not any(hand.orders for hand in self._hands.values())

    def pids(self) -> list[int]:
        """The worker processes of this moment."""
        return [hand.process.pid for _, hand in sorted(self._hands.items())]

    def give(self, order: Order, deadly: bool = False) -> None:
        """A `deadly` order kills its worker: a fault, to be seen on the dashboard."""
        self._hire()
        if order.attempt > 1:
            self._recall(order)
        self._queue(order).append((order, deadly))
        self._hand_out()

    def _recall(self, order: Order) -> None:
        """Take back what still waits of its earlier attempts, or the queue grows while nobody takes anything."""
        for queue in (self._again, self._waiting):
            for waiting, deadly in list(queue):
                if replace(waiting, attempt=order.attempt) == order and waiting.attempt < order.attempt:
                    queue.remove((waiting, deadly))

    def _queue(self, order: Order) -> deque[tuple[Order, bool]]:
        """Where it waits: leases reckon that orders are begun in turn, those given again before all others."""
        return self._waiting if order.attempt == 1 else self._again

    def news(self, timeout: float) -> Sequence[News]:
        pipes: list[Connection | socket.socket] = [hand.pipe for hand in self._hands.values()]
        ready = wait([*pipes, self._bell], timeout)
        found: list[News] = []
        for slot, hand in list(self._hands.items()):
            if hand.pipe in ready:
                found += self._heard(slot, hand)
        if self._bell in ready:
            self._silence()
        self._hand_out()
        return found

    def interrupt(self) -> None:
        with suppress(OSError):
            self._button.send(b"!")

    def close(self) -> None:
        """Idle workers end by themselves when their pipes close; those at work are killed."""
        for hand in self._hands.values():
            hand.end()
        self._hands.clear()
        self._bell.close()
        self._button.close()

    def _hire(self) -> None:
        """Fill the empty places, as far as the system lets us. Raises Unavailable if nobody is there then."""
        for slot in set(range(self._workers)) - set(self._hands):
            try:
                self._hands[slot] = _Hand(slot, self._kernel, self._memory)
            except OSError as error:
                if not self._hands:
                    raise Unavailable(f"no worker can be started: {error}") from error

    def _heard(self, slot: int, hand: _Hand) -> Iterator[News]:
        try:
            while hand.pipe.poll():
                told: News | None = hand.pipe.recv()
                hand.ready = True
                if told is None:
                    continue
                if told.happened in (Happened.DONE, Happened.FAILED):
                    hand.orders.popleft()
                if told.reason != "dropped":
                    yield told
        except (EOFError, OSError):
            yield from self._lost(slot, hand)

    def _lost(self, slot: int, hand: _Hand) -> Iterator[News]:
        """Only the order that it had begun is in doubt; those that waited in its pipe wait here again."""
        code = hand.process.wait()
        hand.end()
        del self._hands[slot]
        orders = list(hand.orders)
        for order in reversed(orders[1:]):
            self._queue(order).appendleft((order, False))
        with suppress(Unavailable):  # whoever asks for the size hears of it; the loss is told all the same
            self._hire()
        if orders:
            yield News(Happened.LOST, orders[0], hand.name, reason=f"its worker ended with code {code}")

    def _hand_out(self) -> None:
        """One order each, then a second: nobody waits for us, and nobody has two while others have none."""
        for held in range(self._backlog):
            for hand in self._hands.values():
                waiting = self._again or self._waiting
                if waiting and hand.ready and len(hand.orders) <= held:
                    hand.give(*waiting.popleft())

    def _silence(self) -> None:
        with suppress(BlockingIOError):
            while self._bell.recv(4096):
                pass
