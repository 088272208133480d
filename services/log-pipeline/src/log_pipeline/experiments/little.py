"""Queue size against latency: a longer queue makes nobody faster, and everybody wait."""

from statistics import mean

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive
from log_pipeline.contract import Limits
from log_pipeline.experiments.plant import BATCH, plant

__all__ = ["LITTLE"]

SECONDS = 0.01  # that a write of one batch takes
SIZES = (400, 1600, 6400)  # records that may be in flight
MEASURED = 30  # batches, after the queue is full
ALLOWANCE = 0.25  # of the prediction, upwards: timers wake late


def run(laboratory: Laboratory) -> list[Finding]:
    """Keep a queue of each size full, and measure how long records stay in it."""
    return [_finding(laboratory, size) for size in SIZES]


def _finding(laboratory: Laboratory, size: int) -> Finding:
    predicted = size * SECONDS / BATCH
    return Finding(
        what=f"a queue of {size:,} records, kept full",
        formula=f"{size:,} records / ({BATCH} records / {SECONDS:g} s) = {predicted:g} s, or up to "
        f"{ALLOWANCE:.0%} more, for timers wake late",
        low=predicted * 0.9,
        high=predicted * (1 + ALLOWANCE),
        measured=[_stay(laboratory, size) for _ in range(REPETITIONS)],
        unit="s in the queue",
    )


def _stay(laboratory: Laboratory, size: int) -> float:
    """The mean stay of a batch in a full queue. Raises Inconclusive if it was not full."""
    laboratory.say(f"{size:,} records")
    filling = size // BATCH
    limits = Limits(records=size, consumers=1, batch_bytes=1, linger=0.0)
    with plant(limits, lambda: SECONDS) as running:
        running.send(filling + MEASURED)
        full = running.engine.stats().ledger.in_flight
    if full < size - BATCH:
        raise Inconclusive(f"the queue of {size} records held only {full}")
    return mean(running.stays[filling : filling + MEASURED])


LITTLE = Experiment(
    name="little",
    claim="While senders are faster than the sink, the size of the queue is the latency, and nothing else.",
    prediction="time in the queue = records in it / records written a second, Little (1961)",
    run=run,
    panel=Panel("log-pipeline", "Age of the oldest that waits"),
    live=("lab fault log-pipeline slow-sink=0.5", "lab load T2 --users 50", "lab fault log-pipeline off"),
)
