"""What the metrics say of a crew and of jobs, whatever engine runs and whoever died unheard."""

from collections.abc import Sequence

import pytest

from lab_kit.metrics import Metrics
from lab_kit.timeline import Timeline
from primes.checks.world import World
from primes.contract import Happened, Job, Kind, Limits, News, Order, Tile
from primes.metrics import CrewMetrics, JobMetrics, MeasuredCrew
from primes.naive import PrimeCalculator as Naive

FIRST = Order("job", Tile(0, 0, 1000, Kind.COUNT), 1, "board")
AGAIN = Order("job", Tile(0, 0, 1000, Kind.COUNT), 2, "board")
UNBEGUN = Order("job", Tile(1, 1000, 2000, Kind.COUNT), 1, "board")


class Told:
    """A crew of two that says what it is told to say."""

    def __init__(self) -> None:
        self.told: list[News] = []

    def size(self) -> int:
        return 2

    def present(self) -> int:
        return 2

    def news(self, timeout: float) -> Sequence[News]:
        told, self.told = self.told, []
        return told

    def give(self, order: Order, deadly: bool = False) -> None: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"service": "primes", "engine": "mine", **labels})


def test_an_attempt_that_died_unheard_is_neither_waiting_nor_at_work() -> None:
    """Its job goes on for minutes, in which nobody is busy with it."""
    metrics, inner = Metrics("primes"), Told()
    crew = MeasuredCrew(inner, CrewMetrics(metrics), metrics.of("mine", Timeline()), "mine")
    for order in (FIRST, UNBEGUN):
        crew.give(order)
    inner.told = [News(Happened.BEGAN, FIRST, "gone")]
    crew.news(0.0)
    for order in (FIRST, UNBEGUN):
        crew.give(Order(order.job, order.tile, 2, order.board))
    assert (crew.waiting(), value(metrics, "lab_tasks_in_flight")) == (2, 0)
    inner.told = [News(Happened.BEGAN, AGAIN, "here"), News(Happened.DONE, AGAIN, "here", 1.0)]
    crew.news(0.0)
    assert crew.waiting() == 1
    assert value(metrics, "lab_tasks_total", outcome="done") == 1
    assert value(metrics, "lab_tasks_total", outcome="failed") == 1
    assert value(metrics, "lab_workers", state="idle") == 2


def test_equal_shares_show_how_uneven_they_are() -> None:
    """The engine that cuts a large job into one tile for each worker is measured as any other."""
    world, job = World(speeds=(1.0, 1.0, 0.2)), Job(0, 100_000)
    limits = Limits(workers=3, tile=1000)
    engine = world.engine(Naive, limits)
    engine.submit(job)
    [status] = world.settled(engine, job)
    engine.stop(0.0)
    metrics = Metrics("primes")
    JobMetrics(metrics, limits, lambda: "mine").ended(status, 1.0, 3)
    assert value(metrics, "primes_imbalance") == pytest.approx(5 / (7 / 3) - 1, rel=0.01)
    assert (value(metrics, "primes_speedup") or 0) > 0
