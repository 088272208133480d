"""Shows a lab getting ready: a live table on a terminal, else plain lines. Only the table imports Rich."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.supervisor.board import Report
from lab.supervisor.state import ComponentState, LabState

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Plain", "Terminal", "chosen", "seconds", "table"]

_ENDS = frozenset({"ready", "failed", "stopped"})


@contextmanager
def chosen() -> Iterator[Report]:
    """Yield the report that suits standard output; in the end, whichever, a terminal has its cursor again."""
    if not sys.stdout.isatty():
        yield Plain()
        return
    shown = Terminal()
    try:
        yield shown
    finally:
        shown.close()


def seconds(component: ComponentState) -> str:
    """Return the time to ready, or what it does instead."""
    if component.seconds_to_ready is None or not component.up:
        return component.state
    return f"{component.seconds_to_ready:.1f} s"


class Plain:
    """One line for each component as it becomes ready, then what there is to open."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._status = "starting"

    def show(self, state: LabState) -> None:
        for component in state.components.values():
            if component.up and component.name not in self._told:
                self._told.add(component.name)
                self.say(f"{component.name:<16} {component.address:<28} {seconds(component)}")
        if state.status != self._status:
            self._status = state.status
            for line in conclusion(state):
                self.say(line)

    def say(self, line: str) -> None:
        print(line, flush=True)


class Terminal(Plain):
    """One table that fills in place until all is ready."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False)

    def show(self, state: LabState) -> None:
        if state.status == self._status == "starting":
            self._live.start()
            self._live.update(table(state), refresh=True)
        elif state.status != self._status:
            self._conclude(state)

    def close(self) -> None:
        """Leave the table as it is; it does not change any more."""
        self._live.stop()

    def _conclude(self, state: LabState) -> None:
        self._status = state.status
        if self._live.is_started:
            self._live.update(table(state), refresh=True)
            self._live.stop()
        for line in conclusion(state):
            self.say(line)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, soft_wrap=True)


def table(state: LabState) -> "Table":
    """Return the lab as a table: component, address, seconds to ready or its state."""
    from rich.table import Table

    result = Table("component", "address", "ready in")
    for component in state.components.values():
        style = "green" if component.up and component.state != "absent" else "yellow"
        result.add_row(component.name, component.address or "-", f"[{style}]{seconds(component)}")
    return result


def conclusion(state: LabState) -> list[str]:
    """Return what is to be said when the lab as a whole becomes something else."""
    if state.status == "ready":
        absent = [c.detail for c in state.components.values() if c.state == "absent"]
        opening = [f"Open {address}" for address in state.open]
        return [*absent, f"The lab is ready in {state.seconds_to_ready:.1f} s.", *opening]
    if state.status == "failed":
        return [state.problem, "The lab did not start: ending what was started."]
    return {"stopping": ["Ending the lab (again Ctrl-C: at once) ..."], "stopped": ["The lab has ended."]}[
        state.status
    ]
