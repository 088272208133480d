"""The one place that knows how the whole lab is doing; every change is saved and shown."""

import contextlib
from typing import Protocol

from lab.supervisor.state import Home, LabState

__all__ = ["Board", "Report"]


class Report(Protocol):
    """Whoever shows it."""

    def show(self, state: LabState) -> None:
        """Called at every change."""

    def say(self, line: str) -> None:
        """Tell an event in one line."""


class Board:
    """Used by one thread only: the supervisor's loop.

    A full disk or a closed terminal must not keep the supervisor from ending what it started, so once the
    first state is saved, neither raises here.
    """

    def __init__(self, state: LabState, home: Home, report: Report) -> None:
        self.state = state
        self._home = home
        self._report = report
        home.save(state)

    def update(self, name: str, **changes: object) -> None:
        """Change one component."""
        self._publish(self.state.with_component(name, **changes))

    def set(self, status: str, **changes: object) -> None:
        """Change the state of the whole."""
        self._publish(self.state.with_status(status, **changes))

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._report.say(line)

    def _publish(self, state: LabState) -> None:
        self.state = state
        for tell in (self._home.save, self._report.show):
            with contextlib.suppress(OSError):
                tell(state)
