"""Judges coroutines: in virtual time, cancelled at every await, and over a simulated network.

The three cannot be combined: what cancels wants the standard loop, and what simulates a network is another one.
"""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cancellens
import simloop
from blockbuster import BlockBuster, BlockingError
from pyleak import TaskLeakError, no_task_leaks

from lab.grader import Inconclusive
from lab.grader.leaks import Leaked, nothing_left
from lab.grader.outcome import Outcome, said
from lab.grader.verdicts import Verdict
from lab.grader.virtual import virtual_loop

__all__ = ["cancelled_everywhere", "in_virtual_time", "simulated"]

type Work = Callable[[], Coroutine[Any, Any, object]]

CANCELLENS = {
    cancellens.Outcome.PASS: Verdict.PASS,
    cancellens.Outcome.FAIL: Verdict.FAIL,
    cancellens.Outcome.UNRESOLVED: Verdict.INCONCLUSIVE,
    cancellens.Outcome.ERROR: Verdict.ERROR,
}
SLOW_SECONDS = 0.25
CANNOT_END = (
    f"Python {platform.python_version()} cannot end the simulated network with a connection open; "
    "the newest release of it, or of 3.13, can"
)


def in_virtual_time(work: Work) -> Outcome:
    """Run `work` once. It fails on an exception, a blocking call, a step that is too slow, and on what is left
    behind: tasks, threads, processes, files.
    """
    return _leaving_nothing(lambda: _in_virtual_time(work))


def _in_virtual_time(work: Work) -> Outcome:
    async def watched() -> None:
        async with no_task_leaks(action="raise"):
            await work()

    with asyncio.Runner(loop_factory=virtual_loop) as runner, _blocking_forbidden():
        selector = runner.get_loop()._selector  # type: ignore[attr-defined]  # the one that `virtual_loop` made
        outcome = _ended(lambda: runner.run(watched()))
    if outcome.verdict is Verdict.PASS and selector.slowest > SLOW_SECONDS:
        computed = f"it computes on the loop for {selector.slowest:.2f} s, and everybody waits"
        return Outcome(Verdict.FAIL, computed)
    return outcome


def cancelled_everywhere[S](
    make: Callable[[], Awaitable[S]],
    operate: Callable[[S], Coroutine[Any, Any, Any]],
    judge: Callable[[S], Awaitable[None]],
    undo: Callable[[S], Awaitable[None]],
    points: int = 100,
) -> Outcome:
    """Cancel `operate` at each of its awaits in turn, and once more while it cleans up; then `judge` must agree.

    `make` makes what it works on, anew for each attempt, and `undo` puts that away. `judge` asserts.
    """

    async def oracle(state: S, completion: cancellens.Completion) -> None:
        try:
            await judge(state)
        except AssertionError as error:
            raise cancellens.InvariantViolation(said(error)) from error

    case = cancellens.Case(make, operate, oracle, undo)
    limits = cancellens.Limits(max_points=points, max_attempts=points * 5, total_timeout=3600.0)
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        report = runner.run(cancellens.sweep(case, limits=limits))
    return Outcome(CANCELLENS[report.outcome], _cancelled(report), schedules=len(report.attempts))


def simulated(work: Work, seeds: Sequence[int], runs: int = 20) -> Outcome:
    """Run `work` over a simulated network, with another order of events for each of `runs` runs of each seed.

    Writers wait for slow readers: without that, a check about backpressure passes for nothing. Threads, processes
    and files that are left behind fail it, too.
    """
    return _leaving_nothing(lambda: _simulated(work, seeds, runs))


def _leaving_nothing(judge: Callable[[], Outcome]) -> Outcome:
    outcome = Outcome(Verdict.PASS)
    try:
        with nothing_left(shared_memory=False):
            outcome = judge()
    except Leaked as error:
        if outcome.verdict is Verdict.PASS:
            return Outcome(Verdict.FAIL, str(error), outcome.seed, outcome.schedules, error=error)
    return outcome


def _simulated(work: Work, seeds: Sequence[int], runs: int) -> Outcome:
    async def pushed_back() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, simloop.SimLoop)
        loop.net.set_flow_control()
        await work()

    for seed in seeds:
        try:
            report = simloop.explore(pushed_back, range(seed * runs, (seed + 1) * runs))
        except asyncio.CancelledError:  # early releases of 3.12 ask a cancelled connection how it ended
            return Outcome(Verdict.INCONCLUSIVE, CANNOT_END, seed)
        if report:
            verdict = Verdict.INCONCLUSIVE if isinstance(report.exception, Inconclusive) else Verdict.FAIL
            return Outcome(
                verdict, _simulation_said(report), seed, report.seeds_passed + 1, error=report.exception
            )
    return Outcome(Verdict.PASS, schedules=runs * len(seeds))


def _simulation_said(report: simloop.SeedReport) -> str:
    """What went wrong; where nothing can go on, also what each task waits for."""
    if not isinstance(report.exception, simloop.SimulationDeadlockError):
        return said(report.exception)
    waiting = (f"  {task.name} in {task.awaiting}, {Path(task.where).name}" for task in report.pending)
    return "\n".join(["nothing can go on any more: each task waits for what never comes", *waiting])


def _ended(run: Callable[[], None]) -> Outcome:
    try:
        run()
    except Inconclusive as error:
        return Outcome(Verdict.INCONCLUSIVE, said(error))
    except BlockingError as error:
        return Outcome(Verdict.FAIL, f"it blocks the loop, and everybody waits: {error}", error=error)
    except TaskLeakError as error:
        return Outcome(Verdict.FAIL, f"tasks are left behind\n{error}", error=error)
    except ExceptionGroup as group:
        leaks = [error for error in group.exceptions if isinstance(error, TaskLeakError)]
        detail = "\n".join(str(error) for error in leaks or group.exceptions)
        return Outcome(Verdict.FAIL, f"tasks are left behind\n{detail}" if leaks else detail, error=group)
    except Exception as error:
        return Outcome(Verdict.FAIL, said(error), error=error)
    return Outcome(Verdict.PASS, schedules=1)


@contextmanager
def _blocking_forbidden() -> Iterator[None]:
    blocker = BlockBuster()
    blocker.activate()
    try:
        yield
    finally:
        blocker.deactivate()


def _cancelled(report: cancellens.Report) -> str:
    try:
        report.assert_passed()
    except AssertionError as error:
        return str(error)
    return ""
