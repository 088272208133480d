"""The asyncio ports: what they measure, and that time is the loop's."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lab.grader.virtual import virtual_loop
from lab_kit.coroutines import AsyncPorts, LoopClock, measured, on_loop
from lab_kit.metrics import Metrics
from lab_kit.timeline import Timeline


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(work())


class Bench:
    """Measured ports, and what they measured."""

    def __init__(self) -> None:
        self.metrics, self.timeline = Metrics("sample"), Timeline()
        self.ports = measured(self.metrics.of("mine", self.timeline), 4, self.timeline)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"service": "sample", "engine": "mine", **labels})


def test_time_is_the_loops() -> None:
    async def work() -> None:
        clock = LoopClock()
        before = clock.monotonic()
        await clock.sleep(86_400)
        assert clock.monotonic() - before == pytest.approx(86_400)

    run(work)


def test_tasks_are_counted_by_their_end() -> None:
    bench = Bench()

    async def fails() -> None:
        raise ValueError("on purpose")

    async def work() -> None:
        spawn = bench.ports.spawn
        tasks = [spawn(asyncio.sleep(1)), spawn(asyncio.sleep(3600)), spawn(fails())]
        await asyncio.sleep(0)
        assert bench.value("lab_tasks_in_flight") == 3
        assert (bench.value("lab_workers", state="busy"), bench.value("lab_workers", state="idle")) == (3, 1)
        tasks[1].cancel()
        await asyncio.wait(tasks)

    run(work)
    ends = {end: bench.value("lab_tasks_total", outcome=end) for end in ("done", "failed", "cancelled")}
    assert ends == {"done": 1, "failed": 1, "cancelled": 1}
    phases = {one: bench.value("lab_task_seconds_count", phase=one) for one in ("wait", "run")}
    assert phases == {"wait": 3, "run": 3}
    assert bench.value("lab_tasks_in_flight") == 0


def test_a_lane_is_used_again() -> None:
    bench = Bench()

    async def page() -> None:
        with bench.ports.tracer.span("fetch", "a job"):
            await asyncio.sleep(1)

    async def work() -> None:
        for _ in range(2):
            await asyncio.wait([bench.ports.spawn(page(), "page"), bench.ports.spawn(page(), "page")])

    run(work)
    spans = bench.timeline.since(0)
    assert {span.worker for span in spans} == {"page-1", "page-2"}
    assert [span.job for span in spans if span.name == "fetch"] == ["a job"] * 4


@pytest.mark.parametrize("contended", [False, True])
def test_only_contended_waits_are_observed(contended: bool) -> None:
    bench = Bench()

    async def work() -> None:
        semaphore = bench.ports.semaphore("room", 1)

        async def visit() -> None:
            async with semaphore:
                await asyncio.sleep(1)

        await asyncio.gather(*(visit() for _ in range(1 + contended)))

    run(work)
    assert bench.value("lab_lock_wait_seconds_count", lock="room") == (1 if contended else 0)


def test_a_thread_looks_on_the_loop() -> None:
    async def work() -> None:
        loop, here = asyncio.get_running_loop(), threading.get_ident()
        assert await asyncio.to_thread(on_loop, loop, threading.get_ident) == here
        assert on_loop(loop, threading.get_ident) == here

    run(work)


def test_plain_ports_are_asyncio() -> None:
    async def work() -> None:
        ports = AsyncPorts()
        async with ports.semaphore("room", 1):
            assert await ports.spawn(asyncio.sleep(0, "done"), "named") == "done"

    run(work)
