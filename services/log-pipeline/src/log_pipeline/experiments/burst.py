"""A burst into a queue without a bound, and into one with: memory and waiting, or a sender that waits."""

from collections.abc import Sequence

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from log_pipeline.contract import Limits
from log_pipeline.experiments.plant import BATCH, LINES, plant

__all__ = ["BURST"]

SECONDS, SENT, BOUND = 0.01, 100, 1_000  # of a write; batches of the burst; records
RECORD = len(LINES)
ALLOWANCE = 0.3  # of the prediction, upwards: timers wake late
FREE = Limits(records=10_000_000, bytes=10_000_000_000, consumers=1, batch_bytes=1, linger=0.0)
BOUNDED = Limits(records=BOUND, consumers=1, batch_bytes=1, linger=0.0)


def run(laboratory: Laboratory) -> list[Finding]:
    """Send a burst as fast as possible; look at what it held in memory, and at its last record."""
    free = [_burst(laboratory, FREE) for _ in range(REPETITIONS)]
    bounded = [_burst(laboratory, BOUNDED) for _ in range(REPETITIONS)]
    whole, rate = SENT * BATCH * RECORD, BATCH / SECONDS
    return [
        _held("without a bound", f"the burst, {SENT * BATCH:,} x {RECORD} bytes", 0.9 * whole, whole, free),
        _held(
            f"bounded to {BOUND:,} records",
            f"{BOUND:,} x {RECORD} bytes, give or take a batch",
            (BOUND - BATCH) * RECORD,
            BOUND * RECORD,
            bounded,
        ),
        _waited("the last record, without a bound", SENT * BATCH / rate, free),
        _waited(f"the last record, bounded to {BOUND:,}", BOUND / rate, bounded),
    ]


def _held(
    what: str, formula: str, low: float, high: float, measured: Sequence[tuple[float, float]]
) -> Finding:
    return Finding(what, formula, low, high, [held for held, _ in measured], "bytes at most")


def _waited(what: str, seconds: float, measured: Sequence[tuple[float, float]]) -> Finding:
    rate = f"({BATCH} records / {SECONDS:g} s)"
    formula = f"records in the queue / {rate} = {seconds:g} s, or up to {ALLOWANCE:.0%} more"
    return Finding(what, formula, seconds * 0.85, seconds * (1 + ALLOWANCE), [w for _, w in measured], "s")


def _burst(laboratory: Laboratory, limits: Limits) -> tuple[float, float]:
    """The most bytes in flight, and how long the last record stayed, in seconds."""
    laboratory.say(f"a burst of {SENT * BATCH:,} records, bound {limits.records:,}")
    most = 0
    with plant(limits, lambda: SECONDS) as running:
        for _ in range(SENT):
            running.send(1)
            most = max(most, running.engine.stats().bytes)
    return float(most), running.stays[-1]


BURST = Experiment(
    name="burst",
    claim="A queue without a bound turns a burst into memory and latency; with one, the sender waits instead.",
    prediction="in memory: what was sent and not yet written; latency of the last: that / rate of the sink",
    run=run,
    panel=Panel("log-pipeline", "Bytes in flight"),
    live=("lab fault log-pipeline slow-sink=0.5", "lab load T2 --users 100", "lab fault log-pipeline off"),
)
