"""Searches the schedules of threads: one scenario, run again and again under a scheduler that owns every switch.

This is the only place that knows which library does it (`interleave_test`, pinned). Stress proves nothing here: on
CPython 3.11 to 3.13 an unlocked counter survives it, and a search finds the race within a few schedules.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any
from unittest.mock import patch

import interleave_test
from interleave_test import _scheduler

from lab.grader import Inconclusive, forbidden, modelled
from lab.grader.forbidden import PROCESS, no_processes
from lab.grader.outcome import Budget, Outcome, Step, said
from lab.grader.shrink import shrink
from lab.grader.strategy import Endless, Given, Point, Search, Strategy
from lab.grader.verdicts import Verdict

__all__ = ["explore", "unseen"]

STUCK_SECONDS = 10.0
STUCK = (
    "one schedule did not end: something waits that the search does not control (real I/O, a real lock, "
    "a computation in C); an engine waits through its ports"
)
NUMBERED = re.compile(r"T\d+\(([^)]*)\)")
BEYOND = ("not managed by interleave_test", "no interleave_test run is active")


def explore(
    scenario: Callable[[], None], files: Sequence[Path], seed: int = 0, budget: Budget | None = None
) -> Outcome:
    """Run `scenario` under many schedules, switching threads within `files`; stop at the first that fails.

    The scenario makes everything it uses, starts threads, joins them, asserts. Time is virtual.
    """
    return _Exploration(scenario, files, seed, budget or Budget()).run()


def unseen[T](call: Callable[[], T]) -> T:
    """`call()`, in one step: no thread is switched meanwhile."""
    with interleave_test.no_interleave():
        return call()


class _Exploration:
    def __init__(
        self, scenario: Callable[[], None], files: Sequence[Path], seed: int, budget: Budget
    ) -> None:
        self._scenario, self._files, self._seed, self._budget = scenario, files, seed, budget
        self._ended = False

    def run(self) -> Outcome:
        search = Search(self._budget.steps, self._budget.seconds)
        result = self._follow(search, self._budget.schedules)
        verdict, detail = self._judge(result)
        seen = len({thread for thread, place in search.trace if isinstance(place, tuple)})
        found = Outcome(verdict, detail, self._seed, result.schedules_run, seen)
        return self._explained(found, result.failure, search) if result.failure else found

    def _explained(self, found: Outcome, failure: interleave_test.Failure, search: Search) -> Outcome:
        """With the steps of the failure, in a schedule that fails the same way and is easier to read."""
        shown: Strategy = search
        error = failure.exception

        def fails(deviations: Mapping[Point, int]) -> bool:
            nonlocal shown, error
            given = Given(self._budget.steps, deviations)
            again = self._follow(given, 1).failure
            same = again is not None and _kind(again) == _kind(failure)
            if again and same:
                shown, error = given, again.exception
            return same

        if found.verdict is Verdict.FAIL:
            shrink(search.deviations, fails, self._budget.effort // len(search.trace))
        steps = [Step(shown.names[thread], *_place(place)) for thread, place in shown.trace]
        return replace(found, steps=steps, stops=shown.stops, error=error)

    def _follow(self, strategy: Strategy, schedules: int) -> interleave_test.Result:
        def main() -> None:
            self._main()

        with modelled.patched(), no_processes(), patch.object(_scheduler, "Scheduler", _Scheduler):
            return interleave_test.explore(
                main,
                iterations=schedules,
                seed=self._seed,
                strategy=strategy,
                include=list(self._files),
                timeout=min(STUCK_SECONDS, self._budget.seconds / 3),
                raise_on_failure=False,
            )

    def _main(self) -> None:
        self._ended = False
        modelled.fresh(self._seed)
        self._scenario()
        self._ended = True
        for pool in modelled.pools:
            pool.shutdown(wait=False)

    def _judge(self, result: interleave_test.Result) -> tuple[Verdict, str]:
        if forbidden.tried:
            return Verdict.FAIL, f"{PROCESS}: {', '.join(sorted(forbidden.tried))}"
        if result.failure:
            return self._explain(result.failure)
        run, wanted = result.schedules_run, self._budget.schedules
        if run < wanted:
            return Verdict.INCONCLUSIVE, f"only {run} of {wanted} schedules in {self._budget.seconds:.0f} s"
        return Verdict.PASS, ""

    def _explain(self, failure: interleave_test.Failure) -> tuple[Verdict, str]:
        if failure.kind == "hang":
            return Verdict.INCONCLUSIVE, STUCK
        if failure.kind == "deadlock":
            what = "threads are left behind" if self._ended else "deadlock: every thread waits for another"
            return Verdict.FAIL, f"{what}\n{re.sub(NUMBERED, r'\1', failure.details)}"
        return _meaning(failure.exception)


def _kind(failure: interleave_test.Failure) -> tuple[str, str]:
    return failure.kind, type(failure.exception).__name__


class _Scheduler(_scheduler.Scheduler):
    """Lets the running thread go on for as long as the strategy says, without asking it: five times as fast."""

    _strategy: Strategy

    def _compute_should_trace(self, filename: str) -> bool:
        """Only what was asked for: by itself the library skips whatever is installed."""
        path = os.path.realpath(filename)
        places: list[str] = self._include or []
        return any(path == place or path.startswith(f"{place}{os.sep}") for place in places)

    def _fail(self, kind: str, exc: BaseException | None, details: str = "") -> None:
        super()._fail(kind, exc, details)
        if kind == "hang":  # threads that do not come back are not waited for
            self._done, self._recs = True, []

    def _finish_thread(self, rec: Any) -> None:
        super()._finish_thread(rec)
        self._byid.pop(
            threading.get_ident(), None
        )  # the next thread of this number may not be of the program

    def _on_instruction(self, code: CodeType, offset: int) -> Any:
        search = self._strategy
        if search.left > 0 and self._fcache.get(code.co_filename):
            thread = self._byid.get(threading.get_ident())
            if thread is not None and not thread.no_yield and not self._abort:
                search.left -= 1
                search.trace.append((thread.tid, ("i", code, offset)))
                return None
        return super()._on_instruction(code, offset)  # type: ignore[no-untyped-call]


def _meaning(error: BaseException | None) -> tuple[Verdict, str]:
    if isinstance(error, Inconclusive):
        return Verdict.INCONCLUSIVE, said(error)
    if isinstance(error, Endless):
        return Verdict.FAIL, f"{error}: a loop that never ends, or that waits without sleeping"
    if isinstance(error, interleave_test.InterleaveError) or any(words in str(error) for words in BEYOND):
        return Verdict.INCONCLUSIVE, f"the search cannot follow this: {error}"
    return Verdict.FAIL, said(error)


def _place(location: Any) -> tuple[str, int]:
    """Where a thread stood, from what the library notes: nothing, "file:line", or a code object and an offset."""
    if location is None:
        return "", 0
    if isinstance(location, str):
        name, _, line = location.rpartition(":")
        return name, int(line) if name else 0
    _, code, offset = location
    return Path(code.co_filename).name, _line(code, offset)


@cache
def _line(code: CodeType, offset: int) -> int:
    lines = (line for start, end, line in code.co_lines() if line is not None and start <= offset < end)
    return next(lines, code.co_firstlineno)
