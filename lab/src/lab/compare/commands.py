"""lab compare. What it needs is imported when it runs, so that `lab --help` is quick."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.arguments import AsJson, ChallengeName, ComposeFile
from lab.load.commands import ShapeName

if TYPE_CHECKING:
    from lab.challenges import Challenge
    from lab.learner.live import Live
    from lab.load.reports import Job

__all__ = ["register"]

ENGINES = ("naive", "reference", "mine")


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(compare)


def compare(
    challenge: ChallengeName,
    engines: Annotated[
        str | None,
        typer.Option(
            help="Which, in a list with commas; naive, reference, and mine if it is there.",
            show_default=False,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each engine has its turn.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long a turn is.")] = 10,
    users: Annotated[int, typer.Option(min=1, max=5000, help="How many at most.")] = 20,
    shape: Annotated[ShapeName, typer.Option(help="How the number of users changes.")] = ShapeName.STEADY,
    seed: Annotated[int, typer.Option(help="Of the first round; each round has the next one.")] = 1,
    png: Annotated[
        Path | None, typer.Option(help="Write the chart to this file, too.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    file: ComposeFile = None,
) -> None:
    """Put the same load on each engine of a running service.

    They have turns, in rounds; then the engine before runs again.
    Exit 0 if all could be measured, 1 if not.

    Example: lab compare T1 --rounds 5 --png engines.png
    """
    from lab.compare import view
    from lab.compare.chart import as_png
    from lab.compare.rounds import compare as measure
    from lab.learner.syllabus import named
    from lab.signals import ending_like_interrupt

    chosen = named(challenge).challenge
    wanted, target = _wanted(engines, chosen), _writable(png)
    live, job = _job(chosen, file, shape=shape.value, users=users, seconds=seconds, seed=seed)
    with ending_like_interrupt(), view.progress() as show:
        found = measure(live, job, wanted, rounds, show)
    if as_json:
        typer.echo(view.as_json(live, job, rounds, found))
    else:
        view.print_comparison(live, job, rounds, found)
    if target and found.samples:
        as_png(found, target, f"{chosen.code} {chosen.title}: {users} users, {rounds} x {seconds:g} s")
        typer.echo(f"The chart is in {target}", err=True)
    raise typer.Exit(1 if found.left_out else 0)


def _wanted(engines: str | None, challenge: "Challenge") -> list[str]:
    """The engines that are meant, each once. Raises WrongUsage for another name."""
    from lab import WrongUsage
    from lab.challenges import nearest
    from lab.grader.commands import workspace

    if engines is None:
        mine = (workspace() / f"{challenge.module}.py").is_file()
        return [engine for engine in ENGINES if engine != "mine" or mine]
    wanted = list(dict.fromkeys(name.strip() for name in engines.split(",") if name.strip()))
    for name in wanted:
        if name not in ENGINES:
            raise WrongUsage(f"--engines {engines}: there is no engine {name!r}: {nearest(name, ENGINES)}")
    if not wanted:
        raise WrongUsage(f"--engines needs at least one of {', '.join(ENGINES)}")
    return wanted


def _writable(png: Path | None) -> Path | None:
    from lab import WrongUsage

    if png is None:
        return None
    path = png.resolve()
    if (
        not path.parent.is_dir()
        or path.is_dir()
        or not os.access(path if path.exists() else path.parent, os.W_OK)
    ):
        raise WrongUsage(f"--png {png}: {path} cannot be written; name a file in a folder that is there.")
    return path


def _job(
    challenge: "Challenge", file: Path | None, *, shape: str, users: int, seconds: float, seed: int
) -> "tuple[Live, Job]":
    """The service, which is ready, and the load for it. Raises LabError where there is no lab that runs."""
    from lab.learner.live import Live
    from lab.load import target
    from lab.load.commands import compose_file
    from lab.load.reports import Job

    target.require_load_test(challenge)
    addresses = target.Addresses(compose_file(file), os.environ)
    url, origin = addresses.service(challenge), addresses.of("origin", "LAB_ORIGIN_URL")
    target.require_ready(challenge, url)
    job = Job(challenge.module, url, origin, shape, users, seconds, seed)
    return Live(challenge.folder, url, challenge.code), job
