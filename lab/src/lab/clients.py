"""Clients that services bring along: `lab chat` is one, and the lab does not know its name.

A package offers one by an entry point in the group `lab.clients`, whose value is a function that takes the
arguments of the command line. It is imported when it runs, not before."""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

import typer

__all__ = ["GROUP", "register"]

GROUP = "lab.clients"
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer, entries: Iterable[EntryPoint] | None = None) -> None:
    """Add a command for each client that is installed, by name."""
    found = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(found, key=lambda entry: entry.name):
        _add(app, entry)


def _add(app: typer.Typer, entry: EntryPoint) -> None:
    package = entry.value.partition(":")[0].partition(".")[0]

    def run(context: typer.Context) -> None:
        entry.load()(context.args)

    app.command(entry.name, context_settings=PASSED_ON, help=f"The client of the service {package}.")(run)
