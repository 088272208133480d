"""Aging against starvation: what is least urgent waits longest, and no longer than that."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from log_pipeline.contract import Limits, Priority
from log_pipeline.experiments.plant import BATCH, Plant, plant

__all__ = ["AGING"]

SECONDS = 0.01  # that a write of one batch takes
SIZE, SENDERS = 400, 3  # records in flight; who send critical ones without a pause
AGINGS = (0.1, 0.2, 0.4)  # seconds
ALLOWANCE = 0.25  # of the prediction, upwards: timers wake late


def run(laboratory: Laboratory) -> list[Finding]:
    """Keep the queue full of critical records, and see when one comes through that is not urgent at all."""
    return [_finding(laboratory, aging) for aging in AGINGS]


def _finding(laboratory: Laboratory, aging: float) -> Finding:
    late, queue = Priority.REST * aging, (SIZE + SENDERS * BATCH) * SECONDS / BATCH
    return Finding(
        what=f"aging {aging:g} s, a flood of critical records, and one of the rest",
        formula=f"{Priority.REST:d} x {aging:g} s = {late:g} s at least, then as long as any, {queue:g} s, or up "
        f"to {ALLOWANCE:.0%} more, for timers wake late",
        low=late,
        high=(late + queue) * (1 + ALLOWANCE),
        measured=[_wait(laboratory, aging) for _ in range(REPETITIONS)],
        unit="s until it is written",
    )


def _wait(laboratory: Laboratory, aging: float) -> float:
    laboratory.say(f"aging {aging:g} s")
    limits = Limits(records=SIZE, consumers=1, batch_bytes=1, linger=0.0, aging=aging)
    with plant(limits, lambda: SECONDS) as running, _flood(running):
        return running.through(Priority.REST)


@contextmanager
def _flood(running: Plant) -> Iterator[None]:
    """Critical records from all senders, and the queue is full of them, until the block ends."""
    over = threading.Event()

    def send() -> None:
        while not over.is_set():
            running.through(Priority.CRITICAL)

    senders = [threading.Thread(target=send) for _ in range(SENDERS + SIZE // BATCH)]
    for sender in senders:
        sender.start()
    try:
        yield
    finally:
        over.set()
        for sender in senders:
            sender.join()


AGING = Experiment(
    name="aging",
    claim="However many urgent records come, one that is not urgent waits a bounded time: at the door, too.",
    prediction="the wait is priority * aging, and then that of a full queue",
    run=run,
    panel=Panel("log-pipeline", "Records out"),
    live=("lab fault log-pipeline slow-sink=0.5", "lab load T2 --users 50", "lab fault log-pipeline off"),
)
