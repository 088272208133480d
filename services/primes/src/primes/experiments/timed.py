"""One job in a scripted world, in virtual time: what a way of sharing work comes to, exactly."""

from collections.abc import Sequence

from lab.grader import Inconclusive
from primes.checks.world import RATE, World
from primes.contract import Job, Limits, PrimeCalculator, State

__all__ = ["seconds_of", "work"]


def work(numbers: int) -> float:
    """Seconds that a worker with speed 1 takes for so many numbers."""
    return numbers / RATE


def seconds_of(
    engine: type[PrimeCalculator], speeds: Sequence[float], numbers: int, limits: Limits, prefetch: int = 1
) -> tuple[float, World]:
    """How long `engine` takes with workers of these speeds, and the world afterwards."""
    world, job = World(speeds=speeds, prefetch=prefetch), Job(0, numbers)
    calculator = world.engine(engine, limits)
    calculator.submit(job)
    [status] = world.settled(calculator, job)
    took = world.seconds
    calculator.stop(0.0)
    if status.state is not State.DONE:
        raise Inconclusive(f"the job is {status.state} at the end of the world")
    return took, world
