"""An engine that its learner still writes may do anything when it is switched: no job is left with nobody."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from lab.grader.virtual import virtual_loop
from lab_kit.engines import EngineHost, EngineUnavailable

JOBS = ["a", "b"]
type Act = Callable[[], Awaitable[None]]


async def well() -> None:
    """Nothing goes wrong."""


async def cancelled() -> None:
    raise asyncio.CancelledError


async def wants_to_end() -> None:
    raise SystemExit(3)


async def fails() -> None:
    raise ArithmeticError("not today")


async def hangs() -> None:
    await asyncio.Event().wait()


class Engine:
    """Has its jobs from its start until it has stopped."""

    def __init__(self, name: str, start: Act = well, stop: Act = well) -> None:
        self.name, self._start, self._stop, self.jobs = name, start, stop, list[str]()

    async def start(self, jobs: Sequence[str]) -> None:
        self.jobs = list(jobs)
        await self._start()

    async def stop(self, deadline: float) -> Sequence[str]:
        jobs, self.jobs = self.jobs, []
        await self._stop()
        return jobs


class House:
    """A host whose jobs are durable, and every engine that it has built."""

    def __init__(self) -> None:
        self.built: list[Engine] = []
        self.mine: dict[str, Act] = {}
        self.host = EngineHost(self._build, unfinished=self._unfinished)

    def _build(self, name: str) -> Engine:
        self.built.append(Engine(name, **(self.mine if name == "mine" else {})))
        return self.built[-1]

    async def _unfinished(self) -> Sequence[str]:
        return JOBS

    async def switch(self, name: str = "mine", **mine: Act) -> None:
        self.mine = mine
        await self.host.switch(name, 1.0)

    def at_work(self) -> list[tuple[str, list[str]]]:
        return [(engine.name, engine.jobs) for engine in self.built if engine.jobs]


def play(scenario: Callable[[House], Awaitable[None]]) -> None:
    async def life() -> None:
        house = House()
        await house.host.start()
        async with asyncio.timeout(1000):
            await scenario(house)

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(life())


@pytest.mark.parametrize("start", [fails, cancelled, wants_to_end, hangs])
def test_one_that_does_not_start_is_ended_and_the_one_before_goes_on(start: Act) -> None:
    async def scenario(house: House) -> None:
        with pytest.raises(EngineUnavailable):
            await house.switch(start=start)
        assert house.at_work() == [("reference", JOBS)]
        assert (house.host.name, house.host.engine.jobs) == ("reference", JOBS)

    play(scenario)


@pytest.mark.parametrize("start", [fails, hangs])
def test_a_worse_version_of_the_engine_that_runs_gives_way_to_the_reference(start: Act) -> None:
    async def scenario(house: House) -> None:
        await house.switch()
        with pytest.raises(EngineUnavailable):
            await house.switch(start=start)
        assert (house.host.name, house.at_work()) == ("reference", [("reference", JOBS)])

    play(scenario)


@pytest.mark.parametrize("stop", [fails, cancelled, wants_to_end, hangs])
def test_one_that_does_not_stop_can_be_left(stop: Act) -> None:
    async def scenario(house: House) -> None:
        await house.switch(stop=stop)
        await house.switch("reference")
        assert (house.host.name, house.at_work()) == ("reference", [("reference", JOBS)])
        await house.switch(stop=stop)
        await house.host.stop(1.0)

    play(scenario)


def test_a_call_that_hangs_does_not_hold_the_engine() -> None:
    async def scenario(house: House) -> None:
        async def call() -> None:
            async with house.host.use():
                await hangs()

        hanging = asyncio.create_task(call())
        await asyncio.sleep(0)
        await house.switch()
        assert house.host.name == "mine"
        hanging.cancel()
        await asyncio.wait([hanging])
        await house.switch("reference")
        assert house.at_work() == [("reference", JOBS)]

    play(scenario)


def test_whoever_asks_to_leave_is_heard() -> None:
    async def scenario(house: House) -> None:
        switching = asyncio.create_task(house.switch(start=hangs))
        await asyncio.sleep(2)
        assert (house.host.name, house.host.coming) == ("reference", "mine"), "the watchdog suspects it"
        switching.cancel()
        await asyncio.wait([switching])
        assert switching.cancelled()
        assert house.host.coming == "reference"

    play(scenario)


class Deaf:
    """One whose methods are no coroutines, and never return."""

    def __init__(self, over: threading.Event) -> None:
        self.start = lambda jobs: None
        self.stop = lambda deadline: over.wait()


def test_threads_that_hang_are_not_missing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab_kit.engines.PATIENCE_SECONDS", 0.0)
    over = threading.Event()

    async def life() -> None:
        host: EngineHost[Any] = EngineHost(lambda name: Deaf(over))
        await host.start()
        with capture_logs():
            for _ in range(40):  # more than the loop has threads for everybody
                await host.switch("mine", 0.0)
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: "there is one")
        over.set()

    try:
        asyncio.run(life())
    finally:
        over.set()
