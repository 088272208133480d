"""The coordinator by itself, step by step on this thread: a crew that says what it is told to say."""

import threading
from collections.abc import Sequence

import pytest

from lab_kit.simulated import SimulatedClock
from primes.checks.world import Boards, answer_of
from primes.contract import Happened, Job, Limits, News, Order, Ports, State, Status
from primes.engine.coordinator import Coordinator
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
