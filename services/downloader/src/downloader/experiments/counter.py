"""The unlocked counter: why stress does not show the race, and what does."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from downloader.experiments import tally
from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive

__all__ = ["COUNTER"]

THREADS, TIMES = 4, 300_000
SCHEDULES = 50
ENOUGH = 8  # the first lets each thread finish; seven more all miss the race once in 2187 searches
FEW = 3  # additions of each thread in a search
FILES = (Path(tally.__file__).resolve(),)


def run(laboratory: Laboratory) -> list[Finding]:
    """Stress the counter with real threads, then search the schedules of two; and of two that use a lock."""
    python = ".".join(map(str, sys.version_info[:2]))
    losing = (_schedules(laboratory, tally.Unlocked, seed) for seed in range(REPETITIONS))
    locked = (_schedules(laboratory, tally.Locked, seed) for seed in range(REPETITIONS))
    return [
        Finding(
            f"lost by {THREADS} threads that add {TIMES:,} each",
            f"Python {python} switches threads at calls and at the ends of loops, never within value += 1: 0",
            0,
            0,
            [float(stress(laboratory)) for _ in range(REPETITIONS)],
            "updates",
        ),
        Finding(
            "schedules until a search loses one",
            "4 of the 6 orders of two reads and two writes lose one: 1 - (2/6)^k > 99.9 % from "
            f"k = {ENOUGH - 1} on, after a first schedule without a switch",
            1,
            ENOUGH,
            [float(SCHEDULES + 1 if found is None else found) for found in losing],
            "schedules",
        ),
        Finding(
            f"searches of {SCHEDULES} schedules that lose one under a lock",
            "under a lock a read and the write after it are one step: 0",
            0,
            0,
            [float(found is not None) for found in locked],
            "of 1",
        ),
    ]


def stress(laboratory: Laboratory) -> int:
    """How many updates real threads lose. Raises Inconclusive if none ran while another one did."""
    laboratory.say(f"{THREADS} threads, {TIMES:,} times")
    counter, spans = tally.Unlocked(), list[int]()

    def add() -> None:
        before = counter.value
        counter.add(TIMES)
        spans.append(counter.value - before)

    with _switching_often():
        _together([add] * THREADS)
    if max(spans) <= TIMES:
        raise Inconclusive("no thread ran while another one was counting")
    return THREADS * TIMES - counter.value


def _schedules(laboratory: Laboratory, kind: type[tally.Unlocked], seed: int) -> int | None:
    laboratory.say(f"a search through the schedules of {kind.__name__.lower()} threads")

    def scenario() -> None:
        counter = kind()
        _together([lambda: counter.add(FEW)] * 2)
        assert counter.value == 2 * FEW

    return laboratory.search(scenario, FILES, seed=seed, schedules=SCHEDULES)


def _together(tasks: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _switching_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


COUNTER = Experiment(
    name="counter",
    claim="Stress does not show the race of an unlocked counter; a search through the schedules does.",
    prediction=(
        "a race needs a switch between a read and the write after it. Python's own never fall there; a search "
        "puts them anywhere (Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees of "
        "Finding Bugs, 2010)"
    ),
    run=run,
    panel=Panel("downloader", "Context switches"),
    live=(
        "lab load T1 --users 50",
        "lab check T1 --engine mutant:CountsWithoutLock --only no_update_is_lost",
    ),
)
