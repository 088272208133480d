"""What the ports of a thread engine show, also while they end and whatever the engine does with them."""

import threading
import time
from concurrent.futures import wait
from typing import Any

import pytest

from lab_kit.metrics import Metrics
from lab_kit.timeline import Timeline


class Bench:
    """Ports of one engine, and what they measured."""

    def __init__(self) -> None:
        self.metrics = Metrics("sample")
        self.ports = self.metrics.of("mine", Timeline())

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"service": "sample", "engine": "mine", **labels})

    def names(self, sample: str, label: str) -> set[str]:
        """The values of a label."""
        families = self.metrics.registry.collect()
        return {
            one.labels[label] for family in families for one in family.samples if one.name == sample
        }  # fmt: skip


def test_what_is_cancelled_before_it_began_has_ended() -> None:
    bench, go = Bench(), threading.Event()
    pool = bench.ports.executor("hands", 1)
    tasks = [pool.submit(go.wait) for _ in range(3)]
    assert tasks[2].cancel()
    pool.shutdown(wait=False, cancel_futures=True)
    go.set()
    pool.shutdown()
    ends = {end: bench.value("lab_tasks_total", outcome=end) for end in ("done", "failed", "cancelled")}
    assert sum(ends.values()) == 3
    assert ends["cancelled"] == sum(task.cancelled() for task in tasks)
    assert bench.value("lab_queue_depth", queue="hands") == 0


def test_what_a_pool_refuses_does_not_wait_in_it() -> None:
    bench = Bench()
    pool = bench.ports.executor("hands", 1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(print)
    assert bench.value("lab_queue_depth", queue="hands") == 0


def test_workers_of_a_pool_that_drains_are_still_there() -> None:
    bench, go, busy = Bench(), threading.Event(), threading.Barrier(3)
    pool: Any = bench.ports.executor("hands", 2)

    def task() -> None:
        busy.wait()
        go.wait()

    tasks = [pool.submit(task) for _ in range(2)]
    busy.wait()
    ending = threading.Thread(target=pool.shutdown)
    ending.start()
    while not pool._shutdown:
        time.sleep(0.001)
    assert [bench.value("lab_workers", state=state) for state in ("busy", "idle")] == [2, 0]
    go.set()
    wait(tasks)
    ending.join()
    assert [bench.value("lab_workers", state=state) for state in ("busy", "idle")] == [0, 0]


def test_a_lock_for_each_job_is_not_a_series_for_each_job() -> None:
    bench = Bench()
    for number in range(1000):
        with bench.ports.lock(f"download {number}"):
            bench.ports.waited(f"download {number}").observe(0.1)
    names = bench.names("lab_lock_wait_seconds_count", "lock")
    assert {"download 0", "others"} < names
    assert len(names) <= 51
