"""The coordinator by itself, step by step on this thread: a crew that says what it is told to say."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from lab_kit.simulated import SimulatedClock
from primes.checks.world import Boards, Paper, answer_of, part_of
from primes.contract import Happened, Job, Limits, News, Order, Part, Ports, State, Status, Tile, Unavailable
from primes.core.plan import plan
from primes.engine.coordinator import ABREAST, Coordinator
from primes.engine.jobs import Jobs

LIMITS = Limits(workers=2, tile=1000, lease=4.0, ahead=2)
JOB = Job(0, 20_000, id="job")


class Told:
    """A crew of `workers`, who do nothing by themselves: the test says what they tell."""

    def __init__(self, clock: SimulatedClock) -> None:
        self.workers, self.orders, self.told = 2, list[Order](), list[News]()
        self._clock = clock

    def size(self) -> int:
        return self.workers

    def give(self, order: Order) -> None:
        self.orders.append(order)

    def news(self, timeout: float) -> Sequence[News]:
        told, self.told = self.told, []
        self._clock.advance(0.0 if told else timeout)
        return told

    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class Office:
    """A coordinator with one job, its crew and its board."""

    def __init__(self) -> None:
        clock = SimulatedClock()
        self.crew, self.boards, self.jobs = Told(clock), Boards(), Jobs(threading.Lock(), 10)
        ports = Ports(clock=clock, crew=lambda: self.crew, board=self.boards)
        self.coordinator = Coordinator(ports, LIMITS, self.jobs)
        self.jobs.accept(JOB)
        self.step()

    def step(self, *told: News) -> None:
        self.crew.told += told
        self.coordinator._step()

    def compute(self, order: Order) -> News:
        """What a worker tells when it has written its part."""
        self.boards.write(order)
        return News(Happened.DONE, order, "worker-0", 1.0)

    def fall_silent(self) -> None:
        """For longer than a lease lasts: nobody is reported, nothing is heard."""
        self.crew.workers = 0
        for _ in range(6):
            self.step()

    def end(self) -> Status:
        """Both workers are back, and compute each tile that nobody has, until no more are given."""
        self.crew.workers = 2
        self.step()
        while orders := {one.tile: one for one in self.crew.orders if not self.computed(one)}:
            self.step(*[self.compute(order) for order in orders.values()])
            self.step()
        return self.jobs.find(JOB.id)

    def computed(self, order: Order) -> bool:
        return (order.job, order.tile) in self.boards.computed


@pytest.fixture
def office() -> Office:
    return Office()


def test_what_comes_late_leaves_its_place_to_others(office: Office) -> None:
    """Their leases have ended and nobody was there to take them, when those who had them first tell of them."""
    given = list(office.crew.orders)
    office.fall_silent()
    office.step(*[office.compute(order) for order in given])
    status = office.end()
    assert (status.state, status.answer) == (State.DONE, answer_of(JOB))
    assert len(office.crew.orders) == status.tiles


def test_what_two_have_computed_keeps_no_place(office: Office) -> None:
    first = office.crew.orders[0]
    office.fall_silent()
    office.crew.workers = 2
    office.step()
    again = next(order for order in office.crew.orders if order.tile == first.tile and order.attempt == 2)
    office.step(office.compute(first), office.compute(again))
    status = office.end()
    assert (status.state, status.answer, status.again) == (State.DONE, answer_of(JOB), 1)


def test_what_is_given_again_goes_before_what_waits(office: Office) -> None:
    """A lease of what waits is renewed by whoever goes before it, so also by what was given again."""
    lost, *_ = office.crew.orders
    office.step(News(Happened.BEGAN, lost, "worker-0"))
    office.step(News(Happened.LOST, lost, "worker-0"))
    office.step()
    again = office.crew.orders[-1]
    assert (again.tile, again.attempt) == (lost.tile, 2)
    for _ in range(10):
        office.step(News(Happened.ALIVE, again, "worker-1"))
        office.coordinator._ports.clock.sleep(1.0)
    assert {order.attempt for order in office.crew.orders[:-1]} == {1}


def test_jobs_that_wait_hold_no_board(office: Office) -> None:
    office.jobs.take_over([Job(0, 1000, id=f"job-{number}") for number in range(2 * ABREAST)])
    office.step()
    assert len(office.boards.open) == ABREAST


def test_a_job_without_a_board_keeps_nobody_from_going_on(office: Office) -> None:
    """As when the system has no descriptor left: those that go on give theirs back when they have ended."""

    def opening(job: Job) -> None:
        if JOB.id in office.boards.open:
            raise Unavailable("no shared memory")

    office.boards.opening = opening
    office.jobs.accept(Job(0, 1000, id="next"))
    assert office.end().state is State.DONE
    assert office.jobs.find("next").state is State.DONE


def test_a_board_that_did_not_answer_is_read_when_it_does(office: Office) -> None:
    """What is on it is not computed again, although it could not be read at once."""
    last = Job(0, 3000, id="last")
    office.boards.parts[last.id] = {tile: part_of(tile) for tile in plan(last, LIMITS)}
    answers = iter((False, True))

    class Slow(Paper):
        def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
            if len(tiles) > 1 and not next(answers):
                raise Unavailable("no answer")
            return super().read(tiles)

    office.coordinator._ports = replace(
        office.coordinator._ports, board=lambda job, tiles: Slow(office.boards, job.id)
    )
    office.jobs.accept(last)
    office.step()
    office.step()
    assert office.jobs.find(last.id).answer == answer_of(last)
    assert {order.job for order in office.crew.orders} == {JOB.id}
