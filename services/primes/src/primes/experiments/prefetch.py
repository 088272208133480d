"""What a worker that takes several orders ahead does to the end of a job. Virtual time, the real engine."""

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from primes.checks.world import RATE
from primes.contract import Job, Limits, Tile
from primes.engine import PrimeCalculator as Reference
from primes.engine.coordinator import Coordinator
from primes.experiments.timed import seconds_of, work

__all__ = ["PREFETCH"]

WIDTH, TILES, WORKERS = 5000, 12, 3
TOLERANCE = 0.01
SLOWER = (0.5, 0.4, 0.35, 0.3, 0.25, 0.2)
LIMITS = Limits(workers=WORKERS, ahead=8, lease=120.0)


class EqualTiles(Reference):
    """The reference, with tiles of one size, so that only the prefetch differs."""

    class coordinator(Coordinator):  # it stands in for the attribute of this name
        def plan(self, job: Job) -> list[Tile]:
            return [
                Tile(index, lo, min(lo + WIDTH, job.hi), job.kind)
                for index, lo in enumerate(range(job.lo, job.hi, WIDTH))
            ]


def run(laboratory: Laboratory) -> list[Finding]:
    """One ahead, and four: the last tiles of a slow worker are what everybody waits for."""
    return [_finding(laboratory, 1), _finding(laboratory, TILES // WORKERS)]


def _finding(laboratory: Laboratory, prefetch: int) -> Finding:
    laboratory.say(f"prefetch {prefetch}")
    measured = []
    for speed in SLOWER[:REPETITIONS]:
        took, _ = seconds_of(EqualTiles, (1.0, 1.0, speed), WIDTH * TILES, LIMITS, prefetch)
        ideal = work(WIDTH * TILES) / (2 + speed)
        slowest = WIDTH / RATE / speed
        measured.append((took - ideal) / slowest if prefetch == 1 else took / slowest)
    if prefetch == 1:
        formula = "(time - work / sum of the speeds) / a tile at the speed of the slowest: 0 to 1"
        return Finding("prefetch 1: how late the end is", formula, 0.0, 1.0, measured, "tiles")
    formula = f"all {TILES} are taken at once, so the slowest computes {prefetch} alone, whatever its speed"
    what = f"prefetch {prefetch}: when the end is"
    return Finding(what, formula, prefetch - TOLERANCE, prefetch + TOLERANCE, measured, "tiles")


PREFETCH = Experiment(
    name="prefetch",
    claim="Prefetch hides the way of an order, and takes from the others what they could have done.",
    prediction=(
        "with prefetch p a worker holds p tiles while others run out of work: the job ends when the slowest has "
        "computed them. Celery's default is 4 (Celery user guide, Optimizing: Prefetch limits)"
    ),
    run=run,
    panel=Panel("primes", "Imbalance"),
    live=("PRIMES_PREFETCH=4 lab up", "lab load M2 --users 2"),
)
