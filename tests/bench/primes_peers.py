"""Counts primes by sieving, beside primesieve's own program: the engine with two processes that are already up.

For each power of ten: the kernels, one worker against two, and what coordination costs. primecount and its like
know pi(x) without sieving; they are no peers here.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import idle_or_exit
from peers import HOME, Peer, find
from rich.console import Console
from rich.table import Table

from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.contract import Job, Limits, Ports
from primes.engine import PrimeCalculator

PI = {10**9: 50_847_534, 10**10: 455_052_511, 10**11: 4_118_054_813}  # OEIS A006880
NUMPY_LARGEST = 10**9  # it would take minutes beyond
ENGINES = {
    "libprimesieve, 2 workers": ("primesieve", 2),
    "libprimesieve, 1 worker": ("primesieve", 1),
    "numba, 2 workers": ("numba", 2),
    "numba, 1 worker": ("numba", 1),
    "numpy, 1 worker": ("numpy", 1),
}
PLAIN = {
    "plain numpy, whole": (),
    "plain numpy, segments": ("1000000",),  # odd numbers: of 250,000 to 10^7 that is what is fastest
}


@dataclass(frozen=True)
class Measured:
    """Seconds of one count, and the share of the workers' time in which they did not compute."""

    seconds: float
    idle: float = 0.0


type Count = Callable[[int, int], Measured]
"""Counts the primes below a limit, and ends the program if there are not as many as is known."""


class Ours:
    """An engine whose workers are up, and have loaded and compiled what they need."""

    def __init__(self, kernel: str, workers: int) -> None:
        self._workers = workers
        ports = Ports(crew=lambda: ProcessCrew(workers, kernel), board=memory_board)
        self._engine = PrimeCalculator(ports, Limits(workers=workers, lease=60.0))
        self._engine.start([])
        for _ in range(2):
            self(10**8, 5_761_455)

    def __call__(self, limit: int, count: int) -> Measured:
        job, began = Job(0, limit), time.perf_counter()
        self._engine.submit(job)
        status = self._engine.wait(job.id)
        seconds = time.perf_counter() - began
        if status.answer != {"count": count}:
            raise SystemExit(f"pi({limit}) is {count}, not {status.answer}: {status.error}")
        return Measured(seconds, 1 - sum(status.busy.values()) / (self._workers * seconds))

    def end(self) -> None:
        self._engine.stop(0.0)


def theirs(peer: Peer, threads: int) -> Count:
    """primesieve's program, started anew each time, as its users do: that takes a few milliseconds."""

    def run(limit: int, count: int) -> Measured:
        command = [peer.path, str(limit - 1), f"--threads={threads}", "--quiet"]
        began = time.perf_counter()
        said = subprocess.run(
            command, env=peer.environment, capture_output=True, text=True, check=True
        ).stdout
        seconds = time.perf_counter() - began
        if said.split()[-1] != str(count):
            raise SystemExit(f"primesieve says {said!r}")
        return Measured(seconds)

    return run


def plain(*segment: str) -> Count:
    """What anybody would write with numpy, in one process; its start takes a tenth of a second."""

    def run(limit: int, count: int) -> Measured:
        command, began = (
            [sys.executable, str(Path(__file__).with_name("by_numpy.py")), str(limit), *segment],
            time.perf_counter(),
        )
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        seconds = time.perf_counter() - began
        if said.strip() != str(count):
            raise SystemExit(f"the plain sieve says {said!r}")
        return Measured(seconds)

    return run


def library() -> str:
    """libprimesieve, where its package was unpacked; empty where it is installed."""
    return next(map(str, (HOME / "primesieve").glob("usr/lib/*/libprimesieve.so.*")), "")


def compare(limit: int, rounds: int, runs: Mapping[str, Count]) -> None:
    """A table of medians; ratios are round by round, of the first one's time to each."""
    found: dict[str, list[Measured]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(run(limit, PI[limit]))
    table = Table(title=f"primes below 10^{len(str(limit)) - 1}: median of {rounds} interleaved rounds")
    first = next(iter(found.values()))
    for heading in ("", "seconds", f"{next(iter(found))} = 1", "lowest", "highest", "idle %"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, measured in found.items():
        ratios = sorted(one.seconds / mine.seconds for one, mine in zip(first, measured, strict=True))
        seconds = statistics.median(one.seconds for one in measured)
        idle = statistics.median(one.idle for one in measured)
        table.add_row(name, f"{seconds:.2f}", f"{statistics.median(ratios):.2f}", f"{ratios[0]:.2f}",
                      f"{ratios[-1]:.2f}", f"{100 * idle:.1f}" if idle else "")  # fmt: skip
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--limits", type=float, nargs="+", default=[1e9, 1e10, 1e11], choices=list(map(float, PI))
    )
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    parser.add_argument("--only", nargs="+", default=[], help="parts of the names of those to compare")
    options = parser.parse_args()
    peer = find("primesieve")
    if library() and Path(peer.path).is_relative_to(HOME):
        os.environ["PRIMESIEVE_LIBRARY"] = library()
    engines = {name: Ours(*how) for name, how in ENGINES.items() if chosen(name, options.only)}
    slow = {name: plain(*how) for name, how in PLAIN.items() if chosen(name, options.only)}
    others: dict[str, Count] = {**engines, **slow}
    idle_or_exit(options.busy)
    try:
        for limit in map(int, options.limits):
            runs = {
                name: one for name, one in others.items() if limit <= NUMPY_LARGEST or "numpy" not in name
            }
            compare(limit, options.rounds, {"primesieve -t2": theirs(peer, 2), **runs})
    finally:
        for engine in engines.values():
            engine.end()


def chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(part in name for part in only)


if __name__ == "__main__":
    main()
