"""Equal shares against tiles that are pulled, where one worker is slower. Virtual time, the real engines."""

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from primes.contract import Limits, PrimeCalculator
from primes.engine import PrimeCalculator as Reference
from primes.experiments.timed import seconds_of, work
from primes.naive import PrimeCalculator as Naive

__all__ = ["SPLIT"]

NUMBERS = 100_000
SLOWER = (0.7, 0.6, 0.5, 0.4, 0.3, 0.2)  # the speed of the third worker, in each repetition
LIMITS = Limits(workers=3, tile=1000)
TOLERANCE = 0.01


def run(laboratory: Laboratory) -> list[Finding]:
    """How much longer than all together without a pause, for both ways of sharing."""
    return [
        _finding(laboratory, "equal shares, one each", Naive, static=True),
        _finding(laboratory, "tiles, pulled", Reference, static=False),
    ]


def _finding(laboratory: Laboratory, what: str, engine: type[PrimeCalculator], static: bool) -> Finding:
    laboratory.say(what)
    measured = []
    for speed in SLOWER[:REPETITIONS]:
        took, world = seconds_of(engine, (1.0, 1.0, speed), NUMBERS, LIMITS)
        last = max(order.tile.hi - order.tile.lo for _, order in world.began[-3:])
        if static:
            measured.append(took / (work(NUMBERS) / 3 / speed))
        else:
            measured.append((took - work(NUMBERS) / (2 + speed)) / (work(last) / speed))
    if static:
        formula = (
            "time / (a third of the work at the speed of the slowest) = 1: it decides, whatever the others do"
        )
        return Finding(what, formula, 1 - TOLERANCE, 1 + TOLERANCE, measured, "of the prediction")
    formula = "(time - work / sum of the speeds) / the last tile at the speed of the slowest: 0 to 1"
    return Finding(what, formula, -TOLERANCE, 1 + TOLERANCE, measured, "last tiles")


SPLIT = Experiment(
    name="split",
    claim="With equal shares the slowest worker decides; with tiles that are pulled nobody waits for more.",
    prediction=(
        "equal shares end with work / n at the lowest speed; list scheduling ends at most one piece after "
        "work / sum of the speeds (Graham, Bounds on multiprocessing timing anomalies, 1969)"
    ),
    run=run,
    panel=Panel("primes", "Imbalance"),
    live=("lab use primes naive", "lab load M2 --users 2", "lab use primes reference"),
)
