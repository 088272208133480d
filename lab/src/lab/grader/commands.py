"""lab check. What it needs is imported when it runs, so that `lab --help` is quick."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lab.arguments import AsJson, ChallengeName
from lab.learner import completion

__all__ = ["register", "workspace"]


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(check)


def check(
    challenge: ChallengeName,
    engine: Annotated[
        str,
        typer.Option(
            "--engine",
            "-e",
            help="mine, reference, naive, starter or mutant:NAME.",
            autocompletion=completion.engines,
        ),
    ] = "mine",
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this check; may be repeated.", show_default=False, autocompletion=completion.checks
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same schedules, same failure.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 1,
    seconds: Annotated[
        float, typer.Option(min=5, max=3600, help="The longest that one check may take with one seed.")
    ] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Judge an engine by the checks of its challenge.

    Exit 0 pass, 1 fail, 2 inconclusive, 3 the grader's own error.

    Example: lab check T1 --only no_update_is_lost --seed 7
    """
    from functools import partial

    from lab import Ended, LabError, WrongUsage
    from lab.grader import view
    from lab.grader.catalogue import checks_of
    from lab.grader.grade import grade
    from lab.learner.judging import remembered
    from lab.learner.syllabus import named
    from lab.signals import ending_like_interrupt

    try:
        chosen = named(challenge).challenge
        count = len(checks_of(chosen, only or ()))
        with ending_like_interrupt(), view.progress(count, quiet=as_json) as done:
            judge = partial(
                grade, chosen, engine, workspace(), only=only or (), seeds=range(seed, seed + seeds)
            )
            judge = partial(judge, seconds=seconds, done=done)
            report = remembered(chosen, workspace(), judge) if engine == "mine" else judge()
    except LabError as error:
        raise WrongUsage(str(error)) from error
    typer.echo(view.as_json(report)) if as_json else view.print_report(report)
    try:
        view.save_traces(report, workspace() / "traces")
    except LabError as error:
        typer.echo(error, err=True)
    raise Ended(report.verdict.exit_code)


def workspace() -> Path:
    """Where the learner's files are: LAB_WORKSPACE, else `workspace` beside the nearest compose.yaml."""
    named = os.environ.get("LAB_WORKSPACE")
    if named:
        return Path(named)
    here = Path.cwd()
    beside = (folder for folder in (here, *here.parents) if (folder / "compose.yaml").is_file())
    return next(beside, here) / "workspace"
