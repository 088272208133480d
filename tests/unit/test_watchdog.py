"""A blocked event loop is seen from another thread."""

import asyncio
import threading

from lab_kit.watchdog import Watchdog


def watched_by(suspect: bool, block: threading.Event, told: list[str]) -> bool:
    """Block a loop until the watchdog acts, or for a second; whether it acted."""

    def act(reason: str) -> None:
        told.append(reason)
        block.set()

    async def life() -> bool:
        beats = asyncio.create_task(Watchdog(lambda: suspect, act, seconds=0.1).run())
        await asyncio.sleep(0)
        acted = the_learners_engine(block, 10.0 if suspect else 1.0)
        beats.cancel()
        return acted

    return asyncio.run(life())


def the_learners_engine(block: threading.Event, seconds: float) -> bool:
    return block.wait(seconds)


def test_a_suspect_that_blocks_is_told_with_its_place() -> None:
    told: list[str] = []
    assert watched_by(True, threading.Event(), told)
    (reason,) = told
    assert "blocked the whole service" in reason
    assert "the_learners_engine" in reason


def test_nobody_else_is_disturbed() -> None:
    told: list[str] = []
    assert not watched_by(False, threading.Event(), told)
    assert told == []


def test_a_loop_that_runs_is_left_alone() -> None:
    told: list[str] = []

    async def life() -> None:
        beats = asyncio.create_task(Watchdog(lambda: True, told.append, seconds=0.1).run())
        for _ in range(50):
            await asyncio.sleep(0.01)
        beats.cancel()

    asyncio.run(life())
    assert told == []
