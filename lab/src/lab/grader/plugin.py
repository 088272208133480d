"""The pytest plugin of the child process: it gives checks their fixtures, and turns what happens into verdicts."""

import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lab.grader import Conclude, Explore, Inconclusive, Scenario
from lab.grader.engines import EngineSource
from lab.grader.outcome import Budget, Outcome, said
from lab.grader.threads import judge
from lab.grader.verdicts import Verdict

__all__ = ["Judged", "Plugin"]


UNFIT = (AttributeError, LookupError, TypeError)


class NotPassed(Exception):
    """Ends a check with the outcome that was found."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


@dataclass(slots=True)
class Judged:
    """What became of the check; `outcome` is the last of a search."""

    verdict: Verdict
    detail: str = ""
    outcome: Outcome | None = None
    schedules: int = 0


class Plugin:
    """One engine before one check; `judged` afterwards is None if pytest did not run it at all."""

    def __init__(self, source: EngineSource, seeds: Sequence[int], budget: Budget) -> None:
        self._source, self._seeds, self._budget = source, seeds, budget
        self._last: Outcome | None = None
        self._schedules = 0
        self.judged: Judged | None = None

    @pytest.fixture
    def engine(self) -> type[Any]:
        """The engine's class, for a check that needs no search."""
        return self._source.load()

    @pytest.fixture
    def explore(self, conclude: Conclude) -> Explore:
        """See `lab.grader.Explore`."""

        def explore(scenario: Scenario, *, schedules: int = self._budget.schedules) -> None:
            budget = replace(self._budget, schedules=schedules)
            for seed in self._seeds:
                conclude(judge(self._source, scenario, seed, budget))

        return explore

    @pytest.fixture
    def seeds(self) -> Sequence[int]:
        """What to search with, for a check that searches by itself."""
        return self._seeds

    @pytest.fixture
    def conclude(self) -> Conclude:
        """Ends the check with an outcome that `coroutines` or `kills` came to, unless it passed."""

        def conclude(outcome: Outcome) -> None:
            self._last = outcome
            self._schedules += outcome.schedules
            if outcome.verdict is not Verdict.PASS:
                raise NotPassed(outcome)

        return conclude

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, Any, Any]:
        if call.when == "call" or call.excinfo:
            self._checks = item.path.parent
            self.judged = self._judge(call.excinfo.value if call.excinfo else None, call.when)
            call.excinfo = None  # no report of it is shown, and to write one may take longer than the check
        return (yield)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """What would end pytest is an exception like any other when an engine raises it."""
        self.judged = self._judge(excinfo.value, "call")

    def _judge(self, error: BaseException | None, when: str) -> Judged:
        if error is None:
            return Judged(Verdict.PASS, outcome=self._last, schedules=self._schedules)
        if isinstance(error, NotPassed):
            outcome = error.outcome
            detail = outcome.detail + (self._where(outcome.error) or self._asked(outcome.error))
            return Judged(outcome.verdict, detail, outcome, self._schedules)
        if isinstance(error, Inconclusive):
            return Judged(Verdict.INCONCLUSIVE, said(error))
        theirs = isinstance(error, AssertionError) or bool(self._where(error))
        if when == "call" and theirs:
            return Judged(Verdict.FAIL, said(error) + self._where(error))
        return Judged(Verdict.ERROR, "".join(traceback.format_exception(error)))

    def _asked(self, error: BaseException | None) -> str:
        """The innermost line of the checks that an engine's answer was of no use to."""
        return _innermost(error, [self._checks]) if isinstance(error, UNFIT) else ""

    def _where(self, error: BaseException | None) -> str:
        """The innermost line of the engine's own files that `error` came through."""
        return _innermost(error, self._source.own)


def _innermost(error: BaseException | None, places: Sequence[Path]) -> str:
    frames = traceback.extract_tb(error.__traceback__) if error else []
    found = [frame for frame in frames if frame.lineno and _within(Path(frame.filename), places)]
    return (
        f"\n{Path(found[-1].filename).name}:{found[-1].lineno}, in {found[-1].name}: {found[-1].line}"
        if found
        else ""
    )


def _within(path: Path, places: Sequence[Path]) -> bool:
    return any(path == place or place in path.parents for place in places)
