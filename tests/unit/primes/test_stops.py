"""The last moments of an engine: each job is told of or returned, whatever its user says just then."""

from collections.abc import Mapping, Sequence

import pytest

from primes.checks.world import Boards, Paper, World
from primes.contract import Conflict, Job, Part, State, Tile, Unavailable
from primes.engine import PrimeCalculator

JOBS = Job(0, 100_000, id="cancelled"), Job(0, 90_000, id="other")


class Gone(Paper):
    """Nobody answers where it is."""

    def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
        raise Unavailable("no answer")

    def discard(self) -> None:
        raise Unavailable("no answer")


class NoAnswer(Boards):
    def __call__(self, job: Job, tiles: int) -> Paper:
        super().__call__(job, tiles)
        return Gone(self, job.id)


def test_who_cancels_just_before_the_end_is_told_of_it() -> None:
    world = World()
    engine = world.engine(PrimeCalculator)
    for job in JOBS:
        engine.submit(job)
    engine.cancel("cancelled")
    left = engine.stop(0.0)
    told = [status.job.id for status in world.ended]
    assert sorted(told + [job.id for job in left]) == ["cancelled", "other"]
    assert "cancelled" in told


def test_an_end_is_told_although_no_board_answers() -> None:
    world = World(boards=NoAnswer())
    engine = world.engine(PrimeCalculator)
    engine.submit(JOBS[0])
    engine.cancel("cancelled")
    engine.stop(0.0)
    assert [status.state for status in world.ended] == [State.CANCELLED]


def test_what_goes_to_the_next_engine_is_changed_there() -> None:
    world = World()
    engine = world.engine(PrimeCalculator)
    engine.submit(JOBS[1])
    engine.pause("other")
    [left] = engine.stop(0.0)
    assert left.paused
    for change in (engine.resume, engine.cancel):
        with pytest.raises(Conflict, match="next engine"):
            change("other")
