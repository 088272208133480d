"""Workers die, with and without a word. Each tile counts, once."""

from lab.grader import Inconclusive
from primes.checks.killing import killed_at_work
from primes.checks.world import (
    DIES,
    LIMITS,
    SLOW,
    STUTTERS,
    SWALLOWED,
    UNHEARD,
    WELL,
    WROTE_AND_DIED,
    WROTE_UNHEARD,
    ZOMBIE,
    Mishap,
    Script,
    World,
    answer_of,
)
from primes.contract import Job, Order, PrimeCalculator, State, Status

JOB = Job(0, 60_000, id="job")
NUMBERS = (0, 2)  # of the orders that go wrong


def first_time(mishap: Mishap) -> Script:
    """Two of the first orders go wrong; the next attempts do not."""
    return lambda order, number: mishap if number in NUMBERS else WELL


def computed(engine: type[PrimeCalculator], script: Script, job: Job = JOB) -> tuple[World, Status]:
    """The world after one job, and how the job ended."""
    world = World(script)
    calculator = world.engine(engine)
    calculator.submit(job)
    [status] = world.settled(calculator, job)
    calculator.stop(0.0)
    if len(world.began) <= max(NUMBERS):
        raise Inconclusive(f"the engine gave {len(world.began)} orders: the mishap never happened")
    return world, status


def require_right(status: Status, what: str) -> None:
    right = answer_of(status.job)
    assert status.state is State.DONE, f"{what}: the job is {status.state} at the end of the world"
    assert status.answer == right, f"{what}: the answer is {right}, not {status.answer}"


def test_a_lost_tile_is_given_again(engine: type[PrimeCalculator]) -> None:
    """When a worker dies and its death is heard of, another computes the tile, without waiting for the lease."""
    world, status = computed(engine, first_time(DIES))
    require_right(status, "two workers died")
    lost = [order.tile for _, order in world.began[: max(NUMBERS) + 1]]
    for number in NUMBERS:
        again = [at for at, order in world.began[number + 1 :] if order.tile == lost[number]]
        assert again, f"{lost[number]} was lost and never given again"


def test_a_silent_worker_is_noticed(engine: type[PrimeCalculator]) -> None:
    """When nothing is heard of a tile, at work or waiting for it, another gets it within a few leases."""
    for where, mishap in (("at work", UNHEARD), ("before they began", SWALLOWED)):
        world, status = computed(engine, first_time(mishap))
        require_right(status, f"two workers fell silent {where}")
        even = 60_000 / 1000 / 3
        most = even + 8 * LIMITS.lease
        assert world.seconds <= most, (
            f"{even:.0f} s of work took {world.seconds:.0f} s, {most:.0f} s would do"
        )


def test_a_slow_worker_keeps_its_tile(engine: type[PrimeCalculator]) -> None:
    """As long as there are signs of life, nobody else computes the tile, however long it takes."""
    world, status = computed(engine, first_time(SLOW))
    require_right(status, "two tiles were slow")
    twice = [tile for (_, tile), times in world.boards.computed.items() if times > 1]
    assert not twice, f"computed twice although its worker was alive: {twice[0]}"


def test_each_tile_counts_once(engine: type[PrimeCalculator]) -> None:
    """A result that is told twice, or comes late from one that was given up, changes nothing."""
    for how, mishap in (("came twice", STUTTERS), ("came late", ZOMBIE)):
        _, status = computed(engine, first_time(mishap))
        require_right(status, f"two results {how}")
        assert status.done == status.tiles, f"{status.done} of {status.tiles} tiles are counted"


def test_what_came_late_is_not_given_again(engine: type[PrimeCalculator]) -> None:
    """When all workers fall silent, and come back with their results, these count, and the job goes on."""
    world = World(lambda order, number: ZOMBIE if number < 3 else WELL, away=(1.0, 1000.0))
    calculator = world.engine(engine)
    calculator.submit(JOB)
    [status] = world.settled(calculator, JOB)
    calculator.stop(0.0)
    require_right(status, "all workers were away for a while")
    twice = [tile for (_, tile), times in world.boards.computed.items() if times > 1]
    assert not twice, f"it came late, was counted, and was given again: {twice[0]}"


def test_what_is_written_is_not_computed_again(engine: type[PrimeCalculator]) -> None:
    """A worker that wrote its part and died before saying so has done its work."""
    for mishap in (WROTE_AND_DIED, WROTE_UNHEARD):
        world, status = computed(engine, first_time(mishap))
        require_right(status, "two workers died after writing")
        twice = [tile for (_, tile), times in world.boards.computed.items() if times > 1]
        assert not twice, f"it was on the board, and was computed again: {twice[0]}"


def test_a_poison_tile_is_quarantined(engine: type[PrimeCalculator]) -> None:
    """A tile that kills whoever has it is given `attempts` times; its job fails and says why; others go on."""
    other = Job(100_000, 120_000, id="other")

    def poison(order: Order, number: int) -> Mishap:
        return DIES if order.job == "job" and order.tile.lo <= 31_000 < order.tile.hi else WELL

    world = World(poison)
    calculator = world.engine(engine)
    for job in (JOB, other):
        calculator.submit(job)
    failed, right = world.settled(calculator, JOB, other)
    calculator.stop(0.0)
    given = sum(order.job == "job" and order.tile.lo <= 31_000 < order.tile.hi for _, order in world.began)
    assert failed.state is State.FAILED, f"the job of a tile that kills is {failed.state}"
    assert failed.error, "it failed, and says nothing of why"
    assert given == LIMITS.attempts, f"the poison tile was given {given} times, {LIMITS.attempts} are allowed"
    require_right(right, "the other job")


def test_killed_processes_cost_nothing(engine: type[PrimeCalculator]) -> None:
    """Real processes, killed at work: the answer is right, and neither process nor shared memory is left."""
    state, answer, killed = killed_at_work(engine)
    if not killed:
        raise Inconclusive("no worker was killed: none began an order")
    assert (state, answer) == (State.DONE, {"count": 1_270_607}), f"{killed} were killed: {state}, {answer}"
