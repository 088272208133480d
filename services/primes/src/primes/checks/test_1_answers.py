"""The answer is right, wherever the range is cut."""

from primes.checks.world import LIMITS, World, answer_of
from primes.contract import InvalidJob, Job, Kind, Limits, PrimeCalculator, State

RANGES = ((0, 0), (0, 2), (2, 3), (0, 3), (7, 7), (24, 29), (0, 30_000), (29, 25_013), (89_000, 110_001))


def test_answers_are_right(engine: type[PrimeCalculator]) -> None:
    """How many primes there are, and their sum: from a range with none to one of many tiles, the ends included."""
    world = World()
    jobs = [Job(lo, hi, kind) for lo, hi in RANGES for kind in (Kind.COUNT, Kind.SUM)]
    calculator = world.engine(engine)
    for job in jobs:
        calculator.submit(job)
    for job, status in zip(jobs, world.settled(calculator, *jobs), strict=True):
        what = f"{job.kind} of [{job.lo}, {job.hi})"
        assert status.state is State.DONE, f"{what} is {status.state}: {status.error}"
        assert status.answer == answer_of(job), f"{what} is {answer_of(job)}, not {status.answer}"
    calculator.stop(0.0)


def test_what_lies_between_tiles_counts(engine: type[PrimeCalculator]) -> None:
    """Twins, one in a tile and one in the next, are a pair; and the widest gap may reach over several tiles."""
    for lo, hi in ((0, 12_000), (31_397 - 20, 31_469 + 20), (0, 30_000), (89_000, 110_001)):
        world = World()
        jobs = [Job(lo, hi, kind) for kind in (Kind.TWINS, Kind.GAP)]
        calculator = world.engine(engine, Limits(workers=3, tile=30))
        for job in jobs:
            calculator.submit(job)
        for job, status in zip(jobs, world.settled(calculator, *jobs), strict=True):
            right = answer_of(job)
            assert status.answer == right, f"{job.kind} of [{lo}, {hi}) is {right}, not {status.answer}"
        calculator.stop(0.0)


def test_the_nth_prime_is_found(engine: type[PrimeCalculator]) -> None:
    """The n-th prime is in the tile where the counts reach n, which is then looked through once more."""
    for rank in (1, 2, 6, 168, 2000):
        world, job = World(), Job(0, 30_000, Kind.NTH, rank)
        calculator = world.engine(engine)
        calculator.submit(job)
        [status] = world.settled(calculator, job)
        assert status.answer == answer_of(job), (
            f"prime number {rank} is {answer_of(job)}, not {status.answer}"
        )
        calculator.stop(0.0)


def test_mistakes_change_nothing(engine: type[PrimeCalculator]) -> None:
    """What makes no sense is refused with the limit in words, and what was accepted is not disturbed."""
    world, good = World(), Job(0, 20_000)
    calculator = world.engine(engine)
    calculator.submit(good)
    for bad in (
        Job(10, 5),
        Job(-3, 5),
        Job(0, 10**15 + 1),
        Job(0, 10**14),
        Job(0, 9, Kind.NTH),
        Job(0, 9, rank=3),
    ):
        try:
            calculator.submit(bad)
        except InvalidJob:
            continue
        raise AssertionError(f"{bad} was accepted")
    [status] = world.settled(calculator, good)
    assert status.answer == answer_of(good), f"the one good job came to {status.answer}"
    known = sum(calculator.stats().states.values())
    assert known == 1, f"one job was accepted, stats() knows {known}"
    calculator.stop(0.0)


def test_work_is_pulled(engine: type[PrimeCalculator]) -> None:
    """With one worker at a fifth of the speed of two others, all three end at about the same time."""
    speeds = (1.0, 1.0, 0.2)
    world, job = World(speeds=speeds), Job(0, 100_000)
    calculator = world.engine(engine, LIMITS)
    calculator.submit(job)
    [status] = world.settled(calculator, job)
    took = world.seconds
    calculator.stop(0.0)
    ideal = 100_000 / 1000 / sum(speeds)
    assert status.answer == answer_of(job), f"the answer is {status.answer}"
    assert took <= 1.6 * ideal, f"{ideal:.0f} s of work for all together took {took:.0f} s: someone waited"
