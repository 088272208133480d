"""lab experiment. What it needs is imported when it runs, so that `lab --help` is quick."""

from typing import TYPE_CHECKING, Annotated

import typer

from lab.arguments import AsJson, ChallengeName, ComposeFile
from lab.learner import completion

if TYPE_CHECKING:
    from lab.challenges import Challenge

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(experiment)


def experiment(
    challenge: ChallengeName,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The experiment; a list if left out.",
            show_default=False,
            autocompletion=completion.experiments,
        ),
    ] = None,
    as_json: AsJson = False,
    file: ComposeFile = None,
) -> None:
    """Put a claim to the test: prediction, measurement, verdict.

    Exit 0 holds, 1 does not, 2 inconclusive. It has processes of its own, and a minute at most.

    Example: lab experiment T1 workers
    """
    from lab import Ended
    from lab.experiments import view
    from lab.experiments.catalogue import experiment_of, panel_url
    from lab.experiments.run import run
    from lab.learner.syllabus import named
    from lab.load.commands import compose_file
    from lab.signals import ending_like_interrupt

    chosen = named(challenge).challenge
    if name is None:
        return _list(chosen, as_json=as_json)
    wanted = experiment_of(chosen, name)
    if not as_json:
        view.print_prediction(chosen, wanted)
    with ending_like_interrupt(), view.progress() as say:
        result = run(chosen, wanted, say)
    url = panel_url(wanted.panel, compose_file(file))
    typer.echo(view.as_json(result, url)) if as_json else view.print_result(result, url)
    raise Ended(result.verdict.exit_code)


def _list(chosen: "Challenge", *, as_json: bool) -> None:
    import json

    from lab.experiments import view
    from lab.experiments.catalogue import experiments_of

    known = experiments_of(chosen)
    if as_json:
        typer.echo(json.dumps({one.name: one.claim for one in known}, indent=1))
    else:
        view.print_list(chosen, known)
