"""Where the time of a line goes, from the socket to the file: each stage on top of the ones before it."""

import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from measure import shared_memory
from rich.console import Console
from rich.table import Table

from log_pipeline.adapters.files import Files
from log_pipeline.contract import Batch, Limits, Ports
from log_pipeline.core.framing import Framer
from log_pipeline.core.sorting import sort_block
from log_pipeline.engine import LogPipeline

BUFFER, BLOCK, ROUNDS = 256 * 1024, 2_000, 3
NOW = 1_800_000_000.0
type Take = Callable[[bytes], object]


class Nowhere:
    """A sink that takes everything and keeps nothing."""

    def write(self, batches: Sequence[Batch]) -> None:
        return

    def bury(self, batch: Batch, why: str) -> None:
        raise AssertionError(why)

    def abort(self) -> None:
        return


def breakdown(line: bytes, count: int) -> None:
    """Print the nanoseconds a line that each stage adds; median of a few rounds."""
    stages = {
        "receive": received,
        "cut into lines": framed,
        "parse, check, sort": parsed,
        "queue and ledger": queued,
        "write": written,
    }
    totals = {name: median(stage(line, count) for _ in range(ROUNDS)) for name, stage in stages.items()}
    table = Table(title="where the time of a line goes")
    for heading in ("", "ns up to here", "ns of this"):
        table.add_column(heading, justify="left" if not heading else "right")
    before = 0.0
    for name, seconds in totals.items():
        each = seconds / count * 1e9
        table.add_row(name, f"{each:.0f}", f"{each - before:.0f}")
        before = each
    Console(width=100).print(table)


def received(line: bytes, count: int) -> float:
    return drained(line, count, lambda data: None)


def framed(line: bytes, count: int) -> float:
    return drained(line, count, Framer(1 << 24).feed)


def parsed(line: bytes, count: int) -> float:
    framer = Framer(1 << 24)
    return drained(line, count, lambda data: sort_block(framer.feed(data), "bench", NOW))  # type: ignore[arg-type]


def queued(line: bytes, count: int) -> float:
    return through(line, count, Ports(sink=Nowhere()))


def written(line: bytes, count: int) -> float:
    with tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-") as folder:
        files = Files(Path(folder), 10**12, 1, sync=True)
        try:
            return through(line, count, Ports(sink=files))
        finally:
            files.close()


def through(line: bytes, count: int, ports: Ports) -> float:
    """Seconds through the engine, until it has drained."""
    pipeline, framer = LogPipeline(ports, Limits()), Framer(1 << 24)
    pipeline.start([])

    def take(data: bytes) -> None:
        found = sort_block(framer.feed(data), "bench", NOW)  # type: ignore[arg-type]
        for batch in found.batches if found else ():
            pipeline.submit(batch)

    return drained(line, count, take, lambda: pipeline.stop(60.0))


def drained(line: bytes, count: int, take: Take, end: Callable[[], object] = lambda: None) -> float:
    """Seconds until `take` has had all that another thread sends, and `end` has returned."""
    ours, theirs = socket.socketpair()
    sender = threading.Thread(target=sent, args=(theirs, line, count))
    began = time.perf_counter()
    sender.start()
    with ours:
        while data := ours.recv(BUFFER):
            take(data)
    end()
    sender.join()
    return time.perf_counter() - began


def sent(connection: socket.socket, line: bytes, count: int) -> None:
    with connection:
        for _ in range(count // BLOCK):
            connection.sendall(line * BLOCK)
