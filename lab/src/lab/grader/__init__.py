"""Judges an engine by its challenge's checks, and shows why it failed. What checks use is here."""

from collections.abc import Callable
from typing import Any, Protocol

from lab.grader.outcome import Outcome
from lab_kit.ports import Ports

__all__ = ["Conclude", "Explore", "Inconclusive", "Scenario", "requires"]

type Scenario = Callable[[type[Any], Ports], None]
"""Makes an engine of the class it is given, with the ports it is given, lets it work, asserts."""


type Conclude = Callable[[Outcome], None]
"""The fixture `conclude`: ends the check with what `coroutines` or `kills` came to, unless it passed."""


class Inconclusive(Exception):
    """Raised by a scenario when what it is about did not happen: a fault that never fired judges nothing."""


def requires(condition: bool, what: str) -> None:
    """Judge nothing unless `what` the check is about did happen."""
    if not condition:
        raise Inconclusive(f"{what} did not happen")


class Explore(Protocol):
    """The fixture `explore`: judges the engine under many schedules of its threads."""

    def __call__(self, scenario: Scenario, *, schedules: int = 20) -> None:
        """Run `scenario` under `schedules` schedules; the check ends here if the engine fails one of them."""
