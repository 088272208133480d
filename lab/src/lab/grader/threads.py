"""How a scenario meets an engine: by a search where there is one, else by chance on real threads."""

import importlib.util
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from lab.grader import Inconclusive, Scenario
from lab.grader.engines import EngineSource
from lab.grader.outcome import Budget, Outcome, said
from lab.grader.verdicts import Verdict
from lab_kit.ports import Ports, SystemClock, plain_lock

__all__ = ["judge"]

SUPPORTED = ((3, 12), (3, 15))
SPEED = 1000.0


def judge(source: EngineSource, scenario: Scenario, seed: int, budget: Budget) -> Outcome:
    """Whether the engine stands `scenario`. Without the search nothing but a failure can be concluded."""
    if can_search():
        return _searched(source, scenario, seed, budget)
    return by_chance(source, scenario, seed, budget)


def can_search() -> bool:
    """Whether the library is here, on a Python that it supports."""
    oldest, too_new = SUPPORTED
    return (
        oldest <= sys.version_info[:2] < too_new and importlib.util.find_spec("interleave_test") is not None
    )


def _searched(source: EngineSource, scenario: Scenario, seed: int, budget: Budget) -> Outcome:
    from lab.grader import explore, modelled, planted

    blind = planted.blind_in(source.files, seed)
    if blind:
        where = ", ".join(path.name for path in blind)
        return Outcome(
            Verdict.INCONCLUSIVE, f"the search did not find the race that was planted in {where}", seed
        )
    ports = Ports(modelled.Clock(), modelled.pool, modelled.named_lock)
    outcome = explore.explore(
        lambda: scenario(explore.unseen(source.load), ports), source.files, seed, budget
    )
    if outcome.verdict is Verdict.PASS and outcome.threads < 2:
        unseen = "only one thread ever ran the engine: this search says nothing"
        return Outcome(Verdict.INCONCLUSIVE, unseen, seed, outcome.schedules)
    return outcome


def by_chance(source: EngineSource, scenario: Scenario, seed: int, budget: Budget) -> Outcome:
    """The same scenario on real threads that switch as often as they can, and a clock a thousand times as fast."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    ports = Ports(FastClock(), lambda name, workers: ThreadPoolExecutor(workers, name), plain_lock)
    try:
        for schedule in range(budget.schedules):
            random.seed(seed + schedule)
            scenario(source.load(), ports)
    except Inconclusive as error:
        return Outcome(Verdict.INCONCLUSIVE, said(error), seed, schedule + 1)
    except Exception as error:
        return Outcome(Verdict.FAIL, said(error), seed, schedule + 1, error=error)
    finally:
        sys.setswitchinterval(usual)
    return Outcome(
        Verdict.INCONCLUSIVE, "no search here: real threads did not fail, which proves nothing", seed
    )


class FastClock(SystemClock):
    """Real time, `SPEED` times as fast."""

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    def time(self) -> float:
        return time.time() * SPEED

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / SPEED)

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        super().call_later(delay / SPEED, callback)
