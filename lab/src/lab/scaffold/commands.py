"""lab new. What it needs is imported when it runs, so that `lab --help` is quick."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


class Kind(StrEnum):
    """What runs the challenge; the names of `template.KINDS`."""

    THREADS = "threads"
    ASYNCIO = "asyncio"
    PROCESSES = "processes"


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(new)


def new(
    code: Annotated[str, typer.Argument(help="Its code: X1.")],
    name: Annotated[str, typer.Argument(help="Its name, of small letters: word-count.")],
    kind: Annotated[Kind, typer.Option(help="What runs it.")] = Kind.THREADS,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="Where to make it; else services/, or here outside the repository.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a challenge of your own, in miniature.

    It has all parts, and checks that reject wrong solutions already.

    Example: lab new X1 word-count --kind asyncio
    """
    from lab.learner.syllabus import entries
    from lab.scaffold.names import named, place
    from lab.scaffold.template import make
    from lab.scaffold.view import next_steps

    names = named(code, name, entries())
    chosen = place(folder, names)
    files = make(names, kind.value, chosen)
    typer.echo(next_steps(names, chosen, files))
