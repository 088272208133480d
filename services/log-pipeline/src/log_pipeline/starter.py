"""T2: a log pipeline. This is your file: `lab start T2` copies it to workspace/log_pipeline.py.

Ports: your engine never opens a socket or a file, never sleeps and never asks what time it is. It gets objects
that do: `ports.sink.write`, `ports.clock.monotonic`, `ports.executor("consume", 4)`, `ports.finished`. So the
same file runs in the live service with real ones, and in `lab check` with simulated ones, where an hour of
waiting takes no time and the grader decides which thread runs next. What each promises stands in
`log_pipeline/contract.py`. Threads, locks and conditions you make yourself. Sockets, formats and files are done:
what comes to you are batches, each of one source and one priority, a number of lines that travel together.

    python workspace/log_pipeline.py     tries it once, on records in memory
    lab check T2                         judges it: which requirement fails, and which threads met where
    lab hint T2                          one level at a time

A way through, each step a little harder. From the second on, every step makes some more checks pass:

    [ ] 1. A list of what waits, one condition, one consumer: `submit` appends, the consumer takes and writes.
           Each check ends with `stop`: let it wait until all is written, until you come to 6.
    [ ] 2. The books: what is accepted, written, in flight? Who may look, and when do the numbers fit together?
    [ ] 3. Order: critical, errors, the rest; first come, first served; and nothing waits for ever.
    [ ] 4. Bounds: records and bytes. Senders wait, in order of urgency, and not for ever.
    [ ] 5. The sink fails, and one record in a thousand is poison.
    [ ] 6. `stop`: whoever waits is told, what can be written is, and the rest is returned.
    [ ] 7. Rates: a bucket of tokens for each source. More consumers, and fewer, while it runs.

`log_pipeline.core.bucket.Buckets` is a token bucket for each source that you may use; it has no lock of its own.
"""

import math
import sys
from collections.abc import Sequence

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which would hide the package of the same name

from log_pipeline.contract import Batch, Limits, Ports, Stats


class LogPipeline:
    """See `contract.LogPipeline` for what each method promises. Any of them may be called from any thread."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        # TODO: keep the ports and the limits; make what the threads will share. Decide now what guards it:
        # whoever reads or changes it has to hold that, and whoever waits for the sink must not.
        self.ports = ports
        self.limits = limits or Limits()

    def start(self, batches: Sequence[Batch]) -> None:
        """Begin, first with what an earlier engine or life left: accepted once, so no bound or rate applies."""
        # TODO: accept the batches, then start `limits.consumers` consumers: each a task of one executor with
        # `limits.max_consumers` workers. A consumer waits until something is there, takes it, writes it.
        raise NotImplementedError

    def submit(self, batch: Batch, patience: float = math.inf) -> None:
        """Accept `batch`; wait at most `patience` seconds until there is room and its source may send."""
        # TODO: what is in flight is what waits and what is being written. When there is no room: wait on a
        # condition, and look again when you wake, for somebody else may have been quicker.
        # TODO: `TooLarge` for what can never fit, `Busy` when patience ends, `Closed` when the engine stops. Each
        # of them means that nothing was accepted.
        raise NotImplementedError

    def scale(self, consumers: int) -> None:
        """Have `consumers` of them from now on, at least 1 and at most `limits.max_consumers`."""
        # TODO: those there are too many leave by themselves, when they have written what is in their hands.
        raise NotImplementedError

    def stats(self) -> Stats:
        """One moment of the engine, consistent in itself."""
        # TODO: all numbers from one moment. `Ledger.balanced` has to hold whenever anybody looks.
        raise NotImplementedError

    def stop(self, deadline: float) -> Sequence[Batch]:
        """Accept nothing more, write for at most `deadline` seconds, return what is left, the oldest first."""
        # TODO: wake everybody who waits, for room or for work. Wait until nothing is in flight, or the deadline.
        # TODO: `ports.sink.abort()` makes a write that hangs raise `SinkFailed`: whoever gets that now keeps what
        # is in its hands for you to return. When this returns, all threads are gone.
        raise NotImplementedError


if __name__ == "__main__":
    from log_pipeline.checks.tryout import tryout

    tryout(LogPipeline)
