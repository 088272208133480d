"""One slow consumer among several: with one queue it takes less, with a queue each it holds up its share."""

import threading
import time
from collections.abc import Callable

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from log_pipeline.contract import Limits
from log_pipeline.experiments.plant import plant

__all__ = ["SLOW"]

FAST, SLOWER, CONSUMERS, BATCHES = 0.01, 0.1, 4, 120
ALLOWANCE = 0.3  # of the prediction, upwards: timers wake late
ONE = Limits(consumers=CONSUMERS, max_consumers=CONSUMERS, batch_bytes=1, linger=0.0)
ALONE = Limits(consumers=1, max_consumers=1, batch_bytes=1, linger=0.0)


def run(laboratory: Laboratory) -> list[Finding]:
    """Write the same batches from one queue for all consumers, and from a queue for each."""
    together = BATCHES / ((CONSUMERS - 1) / FAST + 1 / SLOWER)
    apart = BATCHES / CONSUMERS * SLOWER
    rate = f"{CONSUMERS - 1} / {FAST:g} s + 1 / {SLOWER:g} s"
    return [
        _finding(laboratory, "one queue for all", f"{BATCHES} / ({rate})", together, SLOWER, _together),
        _finding(
            laboratory, "a queue for each", f"{BATCHES} / {CONSUMERS} x {SLOWER:g} s", apart, 0.0, _apart
        ),
    ]


def _finding(
    laboratory: Laboratory, what: str, formula: str, seconds: float, last: float, measure: Callable[[], float]
) -> Finding:
    laboratory.say(what)
    return Finding(
        what=what,
        formula=f"{formula} = {seconds:.2f} s, {f'one more write of {last:g} s, ' if last else ''}"
        f"or up to {ALLOWANCE:.0%} more, for timers wake late",
        low=seconds * 0.9,
        high=(seconds + last) * (1 + ALLOWANCE),
        measured=[measure() for _ in range(REPETITIONS)],
        unit="s for all",
    )


def _together() -> float:
    """Seconds for all batches through one queue; the first consumer that comes is the slow one."""
    slow: list[int] = []

    def seconds() -> float:
        me = threading.get_ident()
        if not slow:
            slow.append(me)
        return SLOWER if me == slow[0] else FAST

    began = time.perf_counter()
    with plant(ONE, seconds) as running:
        running.send(BATCHES)
    return time.perf_counter() - began


def _apart() -> float:
    """Seconds until the last of several plants, of which one is slow, has written its share."""
    began = time.perf_counter()
    paces = [SLOWER, *[FAST] * (CONSUMERS - 1)]
    threads = [threading.Thread(target=_share, args=(pace,)) for pace in paces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def _share(pace: float) -> None:
    with plant(ALONE, lambda: pace) as running:
        running.send(BATCHES // CONSUMERS)


SLOW = Experiment(
    name="slow",
    claim="One slow consumer costs one queue its own share of the rate; dealt out in turn, it costs all the rest.",
    prediction="one queue: batches / sum of the rates; a queue for each: batches / consumers x the slowest's time",
    run=run,
    panel=Panel("log-pipeline", "Consumers"),
    live=("lab fault log-pipeline slow-sink=1", "lab load T2 --users 50", "lab fault log-pipeline off"),
)
