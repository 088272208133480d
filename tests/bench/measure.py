"""Measuring whole processes, in turn, on a machine that is idle."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

MIB = 1024 * 1024
BUSY_PERCENT = 15.0
SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Result:
    """Seconds, and the peak of the process's resident memory in bytes."""

    seconds: float
    peak: int


def timed(command: Sequence[str], environment: Mapping[str, str]) -> Result:
    """One whole process; SystemExit if it fails."""
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        watch = Peak(process.pid)
        status = process.wait()
        seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"this failed with {status}: {' '.join(command)}")
    return Result(seconds, watch.end())


class Peak(threading.Thread):
    """The high-water mark of a process's memory, asked every 5 ms: the kernel's own at its end includes what the
    process was before `exec`."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status, self._over, self._bytes = Path(f"/proc/{pid}/status"), threading.Event(), 0
        self.start()

    def run(self) -> None:
        while not self._over.wait(0.005):
            self._bytes = max(self._bytes, high_water(self._status))

    def end(self) -> int:
        self._over.set()
        self.join()
        return self._bytes


def high_water(status: Path) -> int:
    """Bytes, by /proc/PID/status; 0 for a process that is gone."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def idle_or_exit(anyway: bool) -> None:
    """SystemExit on a busy machine, unless it is to be measured `anyway`."""
    busy = psutil.cpu_percent(interval=2.0)
    if busy > BUSY_PERCENT and not anyway:
        sys.exit(f"The machine is {busy:.0f} % busy: what is measured now says little. Wait, or add --busy.")


def shared_memory() -> Path | None:
    """Where files cost no disk, if there is such a place."""
    return SHARED_MEMORY if SHARED_MEMORY.is_dir() else None


def in_turn[T](rounds: int, runs: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """`rounds` of each, interleaved."""
    results: dict[str, list[T]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            results[name].append(run())
    return results


def report(title: str, size: int, results: Mapping[str, Sequence[Result]]) -> None:
    """A table of medians; the first is ours, and the ratios are of its times, round by round."""
    ours = next(iter(results.values()))
    table = Table(title=f"{title}: median of {len(ours)} interleaved rounds")
    for heading in ("", "seconds", "MiB/s", "slowest", "fastest", "peak MiB", "time / ours"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, runs in results.items():
        rates = sorted(size / MIB / run.seconds for run in runs)
        ratios = [theirs.seconds / mine.seconds for mine, theirs in zip(ours, runs, strict=True)]
        seconds, peak = statistics.median(run.seconds for run in runs), max(run.peak for run in runs)
        cells = (f"{seconds:.2f}", f"{statistics.median(rates):.0f}", f"{rates[0]:.0f}", f"{rates[-1]:.0f}",
                 f"{peak / MIB:.0f}", f"{statistics.median(ratios):.2f}")  # fmt: skip
        table.add_row(name, *cells)
    Console(width=100).print(table)
