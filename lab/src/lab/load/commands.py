"""lab load. What it needs is imported when it runs, so that `lab --help` is quick."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.arguments import AsJson, ChallengeName, ComposeFile

if TYPE_CHECKING:
    from lab.load.reports import Job

__all__ = ["compose_file", "register"]

INTERRUPTED = 130


class ShapeName(StrEnum):
    """The names of `shapes.SHAPES`."""

    STEADY = "steady"
    SPIKE = "spike"
    RAMP = "ramp"


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(load)


def load(
    service: ChallengeName,
    shape: Annotated[ShapeName, typer.Option(help="How the number of users changes.")] = ShapeName.STEADY,
    users: Annotated[int, typer.Option(min=1, max=5000, help="How many at most.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long.")] = 30,
    seed: Annotated[int, typer.Option(help="The users do the same again for the same seed.")] = 1,
    html: Annotated[
        Path | None, typer.Option(help="Write a report with charts to this file.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    file: ComposeFile = None,
) -> None:
    """Let users loose on a running service, and show how it does.

    Exit 0 without errors, 1 with.

    Example: lab load T1 --shape spike --users 50 --seconds 60
    """
    from lab.load import view
    from lab.load.conduct import conduct

    job = _job(
        service, file, shape=shape.value, users=users, seconds=seconds, seed=seed, html=_writable(html)
    )
    with view.progress() as show:
        summary, interrupted = conduct(job, show)
    typer.echo(view.as_json(job, summary)) if as_json else view.print_summary(summary)
    if html:
        typer.echo(f"The report with charts is in {job.html}", err=True)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if summary.ok else 1)


def _job(
    service: str, file: Path | None, *, shape: str, users: int, seconds: float, seed: int, html: str
) -> "Job":
    from lab.learner.syllabus import named
    from lab.load import target
    from lab.load.reports import Job

    challenge = named(service).challenge
    target.require_load_test(challenge)
    addresses = target.Addresses(compose_file(file), os.environ)
    url, origin = addresses.service(challenge), addresses.of("origin", "LAB_ORIGIN_URL")
    target.require_ready(challenge, url)
    return Job(challenge.module, url, origin, shape, users, seconds, seed, html)


def compose_file(file: Path | None) -> Path | None:
    """The Compose file named, else the nearest; None where there is none. Raises LabError for a wrong name."""
    from lab import LabError
    from lab.supervisor import commands

    try:
        return commands.find(file)
    except LabError:
        if file is not None:
            raise
        return None


def _writable(html: Path | None) -> str:
    from lab import WrongUsage

    if html is None:
        return ""
    path = html.resolve()
    if not path.parent.is_dir():
        raise WrongUsage(f"--html {html}: there is no folder {path.parent}; make it first.")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise WrongUsage(f"--html {html}: {path} cannot be written; name a file that can.")
    return str(path)
