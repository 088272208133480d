"""What judges coroutines: each tool finds what it is for, and passes what is right."""

import asyncio
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import simloop

from lab.grader import Inconclusive
from lab.grader.coroutines import cancelled_everywhere, in_virtual_time, simulated
from lab.grader.outcome import Outcome
from lab.grader.verdicts import Verdict
from lab.grader.virtual import Stuck, virtual_loop


async def sleeps_a_day() -> None:
    before = asyncio.get_running_loop().time()
    async with asyncio.timeout(100_000):
        await asyncio.sleep(86_400)
    assert asyncio.get_running_loop().time() - before == pytest.approx(86_400)


async def blocks() -> None:
    time.sleep(0.001)  # noqa: ASYNC251  # what it is to be caught at


async def computes() -> None:
    await asyncio.sleep(0)
    until = time.thread_time() + 0.4
    while time.thread_time() < until:
        pass


async def leaves_a_task() -> None:
    asyncio.get_running_loop().forgotten = asyncio.create_task(asyncio.sleep(10), name="forgotten")  # type: ignore[attr-defined]
    await asyncio.sleep(0)


async def waits_for_nothing() -> None:
    await asyncio.get_running_loop().create_future()


async def asks_again_and_again() -> None:
    ended = asyncio.get_running_loop().create_future()
    while not ended.done():  # noqa: ASYNC110  # what it is to be caught at
        await asyncio.sleep(0)


async def is_wrong() -> None:
    raise AssertionError("1 of 2")


async def has_no_weather() -> None:
    raise Inconclusive("it did not rain")


@pytest.mark.parametrize(
    ("work", "verdict", "words"),
    [
        (sleeps_a_day, Verdict.PASS, ""),
        (asks_again_and_again, Verdict.FAIL, "a task asks again and again, and never waits"),
        (blocks, Verdict.FAIL, "blocks the loop"),
        (computes, Verdict.FAIL, "computes on the loop"),
        (leaves_a_task, Verdict.FAIL, "forgotten"),
        (is_wrong, Verdict.FAIL, "1 of 2"),
        (has_no_weather, Verdict.INCONCLUSIVE, "it did not rain"),
    ],
)
def test_in_virtual_time(work: Callable[[], Coroutine[Any, Any, None]], verdict: Verdict, words: str) -> None:
    outcome = in_virtual_time(work)
    assert (outcome.verdict, words in outcome.detail) == (verdict, True), outcome.detail


def test_threads_are_waited_for() -> None:
    async def asks() -> None:
        assert await asyncio.to_thread(lambda: 7) == 7

    assert in_virtual_time(asks).verdict is Verdict.PASS


def test_time_does_not_run_away_from_a_thread() -> None:
    async def asks() -> None:
        async with asyncio.timeout(3600):
            await asyncio.to_thread(threading.Event().wait, 0.05)

    assert in_virtual_time(asks).verdict is Verdict.PASS


def test_who_waits_for_nothing_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.grader.virtual.LONGEST_WAIT", 0.05)
    runner = asyncio.Runner(loop_factory=virtual_loop)
    with pytest.raises(Stuck), runner:
        runner.run(waits_for_nothing())


class Slots:
    """A semaphore that gives its place back, or forgets to when it is cancelled."""

    def __init__(self, careful: bool) -> None:
        self.free, self._careful = asyncio.Semaphore(1), careful

    async def use(self) -> None:
        await self.free.acquire()
        if not self._careful:
            await asyncio.sleep(1)
            return self.free.release()
        try:
            await asyncio.sleep(1)
        finally:
            self.free.release()


@pytest.mark.parametrize(("careful", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL)])
def test_cancelled_at_every_await(careful: bool, verdict: Verdict) -> None:
    async def make() -> Slots:
        return Slots(careful)

    async def judge(slots: Slots) -> None:
        assert not slots.free.locked(), "the place was not given back"

    async def undo(slots: Slots) -> None: ...

    outcome = cancelled_everywhere(make, Slots.use, judge, undo)
    assert outcome.verdict is verdict, outcome.detail
    assert ("not given back" in outcome.detail) == (verdict is Verdict.FAIL)
    assert outcome.schedules > 2


def served(patient: bool) -> Callable[[], Coroutine[Any, Any, None]]:
    """A server that writes much to a client that reads nothing: it waits, or it piles up."""

    async def work() -> None:
        written = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            for _ in range(100):
                writer.write(bytes(16 * 1024))
                written += 16 * 1024
                if patient:
                    await writer.drain()
            writer.close()

        async def listen() -> None:
            async with await asyncio.start_server(serve, "server", 80):
                await asyncio.sleep(20)

        async def connect() -> None:
            await asyncio.sleep(1)
            _, writer = await asyncio.open_connection("server", 80)
            await asyncio.sleep(10)
            writer.close()

        net = asyncio.get_running_loop().net  # type: ignore[attr-defined]
        net.host("server").create_task(listen())
        await net.host("client").create_task(connect())
        assert written < 1_000_000, f"{written:,} bytes wait for a client that reads nothing"

    return work


@pytest.mark.parametrize(("patient", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL)])
@pytest.mark.filterwarnings("ignore:unclosed <StreamWriter")  # where the network cannot be ended
def test_a_simulated_network_pushes_back(patient: bool, verdict: Verdict) -> None:
    outcome = simulated(served(patient), [0], runs=3)
    blind = sys.version_info < (3, 13) and outcome.verdict is Verdict.INCONCLUSIVE
    assert blind or outcome.verdict is verdict, outcome.detail


def test_an_order_of_events_is_searched() -> None:
    async def looks_then_leaps() -> None:
        free = 1

        async def take() -> None:
            nonlocal free
            if free:
                await asyncio.sleep(0)
                free -= 1

        await asyncio.gather(take(), take())
        assert free == 0, f"{free} are free"

    outcome = simulated(looks_then_leaps, [3])
    assert outcome.verdict is Verdict.FAIL
    assert "-1 are free" in outcome.detail
    assert outcome.seed == 3


def test_a_network_where_nothing_goes_on_says_who_waits() -> None:
    async def forgotten() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, simloop.SimLoop)
        loop.net.host("server").create_task(asyncio.Event().wait(), name="reader")
        await asyncio.Event().wait()

    outcome = simulated(forgotten, [0])
    assert outcome.verdict is Verdict.FAIL
    told, waiting = outcome.detail.splitlines()
    assert told.startswith("nothing can go on")
    assert waiting.startswith("  reader in wait, locks.py:")


@pytest.mark.parametrize("judge", [in_virtual_time, lambda work: simulated(work, [0], runs=1)])
@pytest.mark.parametrize("kind", ["threads", "children", "files"])
def test_what_is_left_behind_is_told(judge: Callable[[Any], Outcome], kind: str) -> None:
    over, kept = threading.Event(), list[Any]()

    async def leave() -> None:
        if kind == "threads":
            kept.append(threading.Thread(target=over.wait))
            kept[0].start()
        elif kind == "children":
            kept.append(multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,)))
            kept[0].start()
        else:
            kept.append(os.fdopen(os.open(__file__, os.O_RDONLY)))

    outcome = judge(leave)
    over.set()
    if kind == "children":
        kept[0].kill()
    kept[0].close() if kind == "files" else kept[0].join()
    assert outcome.verdict is Verdict.FAIL
    assert outcome.detail.startswith(f"{kind} left behind: "), outcome.detail
