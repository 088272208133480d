"""lab up, down, status, logs. What they need is imported when they run, so that `lab --help` is quick."""

from pathlib import Path
from typing import Annotated

import typer

from lab.arguments import AsJson

__all__ = ["register"]

_File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        help="The Compose file; otherwise the nearest compose.yaml upwards.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (up, down, status, logs):
        app.command()(command)


def up(
    file: _File = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready.")] = False,
) -> None:
    """Start the lab here, without Docker, and stay until Ctrl-C.

    Example: lab up --detach && lab status
    """
    from lab.supervisor import detach as background
    from lab.supervisor import report, run
    from lab.supervisor.state import Home, Taken

    path = find(file)
    home = Home.beside(path)
    try:
        with report.chosen() as shown:
            raise typer.Exit((background.up if detach else run.supervise)(path, home, shown))
    except Taken:
        raise Taken(background.already(home)) from None


def down(file: _File = None) -> None:
    """End the lab and wait until all its processes are gone.

    Example: lab down
    """
    from lab.supervisor import control
    from lab.supervisor.state import Home

    ended = control.end(Home.beside(find(file)), typer.echo)
    typer.echo("The lab has ended." if ended else "No lab is running here.")


def status(
    file: _File = None,
    as_json: AsJson = False,
) -> None:
    """Show each component and ask it whether it is ready.

    Exit 0 when all are, 1 otherwise.

    Example: lab status --json
    """
    from lab.supervisor import view
    from lab.supervisor.state import Home

    state = view.current(Home.beside(find(file)))
    typer.echo(view.as_json(state)) if as_json else view.print_table(state)
    raise typer.Exit(0 if view.all_up(state) else 1)


def logs(
    name: Annotated[
        str | None, typer.Argument(help="A component; all if left out.", show_default=False)
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="The Compose file.", show_default=False)] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many last lines of each.")] = 20,
) -> None:
    """Show what the components wrote.

    Example: lab logs downloader --follow
    """
    from lab.supervisor import view
    from lab.supervisor.state import Home

    view.print_logs(Home.beside(find(file)), name, lines, follow)


def find(file: Path | None) -> Path:
    """Return the Compose file that is meant: as told, else the nearest one upwards from here.

    Raises LabError where there is none.
    """
    from lab import LabError

    here = Path.cwd()
    if file is not None:
        candidates = [file.resolve()]
    else:
        candidates = [folder / "compose.yaml" for folder in (here, *here.parents)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = str(file) if file else f"a compose.yaml in {here} or above"
    raise LabError(f"There is no {looked}: go to the folder of the lab, or name the file with --file.")
