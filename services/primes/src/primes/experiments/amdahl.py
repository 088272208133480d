"""Amdahl's law on 1, 2 and 4 workers: the real service, with processes of its own."""

import os
from collections.abc import Sequence
from typing import Any

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory, Running
from lab.grader import Inconclusive

__all__ = ["AMDAHL"]

COUNTS = (1, 2, 4)
LO, WIDTH = 10**12, 6 * 10**8
LONG = 2.0  # seconds that one worker should take: beside it the wait for the last tile is little
ALLOWANCE = 0.3  # of the prediction, for cores that others use, too


def run(laboratory: Laboratory) -> list[Finding]:
    """With one worker, what is not computing is serial; that and the cores say how long two and four take."""
    width = _width(laboratory)
    alone = _measured(laboratory, 1, width)
    whole = sorted(one["seconds"] for one in alone)[len(alone) // 2]
    serial = max(0.0, min(one["seconds"] - sum(one["workers"].values()) for one in alone))
    cores = _cores()
    return [
        _finding(workers, whole, serial, cores, _measured(laboratory, workers, width))
        for workers in COUNTS
        if workers > 1
    ]


def _width(laboratory: Laboratory) -> int:
    """How many numbers keep one worker busy for `LONG`, whatever its kernel."""
    with laboratory.service(primes_crew="processes", primes_workers=1) as service:
        _job(laboratory, service, WIDTH)
        seconds = _job(laboratory, service, WIDTH)["seconds"]
    return int(WIDTH * max(1.0, LONG / seconds))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _finding(
    workers: int, whole: float, serial: float, cores: int, found: Sequence[dict[str, Any]]
) -> Finding:
    speedup = whole / (serial + (whole - serial) / min(workers, cores))
    return Finding(
        what=f"speed-up with {workers} workers on {cores} cores",
        formula=(
            f"{whole:.3f} s / ({serial:.3f} s + {whole - serial:.3f} s / {min(workers, cores)}) = {speedup:.2f}, "
            f"give or take {ALLOWANCE:.0%}"
        ),
        low=speedup * (1 - ALLOWANCE),
        high=speedup * (1 + ALLOWANCE),
        measured=[whole / one["seconds"] for one in found],
        unit="times",
    )


def _measured(laboratory: Laboratory, workers: int, width: int) -> Sequence[dict[str, Any]]:
    with laboratory.service(primes_crew="processes", primes_workers=workers) as service:
        laboratory.say(f"{workers} workers")
        _job(laboratory, service, width)  # starts the workers, and lets them load what they need
        found = [_job(laboratory, service, width) for _ in range(REPETITIONS)]
    if any(len(one["workers"]) < min(workers, 2) for one in found):
        raise Inconclusive(f"not all of the {workers} workers had something to do")
    return found


def _job(laboratory: Laboratory, service: Running, width: int) -> dict[str, Any]:
    question = {"lo": LO, "hi": LO + width}
    job_id = service.ask("POST", "/v1/jobs", question)["id"]
    path = f"/v1/jobs/{job_id}"
    laboratory.until(lambda: service.ask("GET", path)["state"] == "done", "a job did not end")
    found: dict[str, Any] = service.ask("GET", path)
    return found


AMDAHL = Experiment(
    name="amdahl",
    claim="More workers help as far as there are cores, and as far as the work can be shared.",
    prediction=(
        "speed-up = T / (s + (T - s) / min(workers, cores)), with T the time of one worker and s what it spends "
        "without computing (Amdahl, Validity of the single processor approach, 1967)"
    ),
    run=run,
    panel=Panel("primes", "Speed-up, and what it could be"),
    live=("lab load M2 --users 2", "PRIMES_WORKERS=1 lab up", "PRIMES_WORKERS=4 lab up"),
)
