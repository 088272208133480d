"""lab start, watch, hint, solution, use, fault. What they need is imported when they run."""

from enum import StrEnum
from typing import Annotated

import typer

from lab.arguments import AsJson, ChallengeName, ComposeFile
from lab.learner import completion

__all__ = ["menu", "register"]


class EngineName(StrEnum):
    """The engines that a service runs."""

    REFERENCE = "reference"
    NAIVE = "naive"
    MINE = "mine"


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (start, watch, hint, solution, use, fault):
        app.command()(command)


def menu() -> None:
    """Open the menu; where there is no terminal, show the progress instead."""
    import sys

    from lab.learner.syllabus import weeks
    from lab.progress import view
    from lab.progress.store import the_store
    from lab.progress.summary import standings

    store = the_store()
    every = standings(weeks(), store.read())
    if any(standing.entry.installed for standing in every) and sys.stdin.isatty() and sys.stdout.isatty():
        from lab.learner.menu import menu

        menu(store)
    else:
        view.print_table(every)
        typer.echo("`lab --help` lists the commands.")


def start(
    challenge: ChallengeName,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew; your file so far is kept as a copy.")
    ] = False,
) -> None:
    """Copy the starter to your workspace, and show the brief. Your file is never overwritten.

    Example: lab start T1
    """
    from lab.grader.commands import workspace
    from lab.learner import view
    from lab.learner.syllabus import named
    from lab.learner.workspace import begin, brief
    from lab.progress.changes import started
    from lab.progress.store import now, the_store

    entry = named(challenge)
    begun = begin(entry.challenge, workspace(), again=again)
    the_store().update(lambda progress: started(progress, entry.code, now()))
    view.print_brief(brief(entry.challenge))
    view.print_begun(entry, begun)


def watch(challenge: ChallengeName) -> None:
    """Judge your file now and at every save.

    What failed comes first. r runs all again, h opens a hint, q quits.

    Example: lab watch T1
    """
    import signal

    from lab.grader.commands import workspace
    from lab.learner import view
    from lab.learner.keys import keys
    from lab.learner.syllabus import named
    from lab.learner.watch import Key, Watch
    from lab.learner.workspace import file_of
    from lab.progress.store import the_store

    entry, folder = named(challenge), workspace()
    screen = view.Terminal(entry, file_of(entry.challenge, folder))
    watching = Watch(entry, folder, the_store(), screen)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: watching.events.put(Key("q")))
    with keys(lambda key: watching.events.put(Key(key))) as screen.keyboard:
        watching.run()


def hint(
    challenge: ChallengeName,
    check: Annotated[
        str | None,
        typer.Argument(
            help="A check; where you are stuck if left out.",
            show_default=False,
            autocompletion=completion.checks,
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Only what was opened before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Open one more hint, from a nudge to nearly the answer. How many you opened is remembered.

    Example: lab hint T1
    """
    import json
    from dataclasses import asdict

    from lab.learner import view
    from lab.learner.hints import open_hint
    from lab.learner.syllabus import named
    from lab.progress.store import the_store

    found = open_hint(named(challenge), the_store(), check, further=not again)
    typer.echo(json.dumps(asdict(found), indent=1)) if as_json else view.print_hint(found)


def solution(
    challenge: ChallengeName,
    spoil: Annotated[bool, typer.Option("--spoil", help="Also before your engine has passed.")] = False,
) -> None:
    """Show the reference engine, once yours has passed.

    Example: lab solution T1 --spoil
    """
    from lab.learner import view
    from lab.learner.solution import open_solution
    from lab.learner.syllabus import named
    from lab.progress.store import the_store

    view.print_solution(open_solution(named(challenge), the_store(), spoil=spoil))


def use(
    service: Annotated[
        str,
        typer.Argument(help="A challenge's service: T1, downloader.", autocompletion=completion.challenges),
    ],
    engine: Annotated[
        EngineName | None, typer.Argument(help="The engine; which one runs if left out.", show_default=False)
    ] = None,
    file: ComposeFile = None,
    as_json: AsJson = False,
) -> None:
    """Switch the engine of a running service. The old one is drained, and no accepted job is lost.

    Example: lab use downloader mine
    """
    import json

    from lab.learner import live, view

    reached = live.reach(service, file)
    with view.busy("draining the old engine ..." if engine else "asking ..."):
        answer = reached.use(engine.value) if engine else reached.engine()
    typer.echo(json.dumps(answer, indent=1) if as_json else live.told(reached, answer))


def fault(
    service: Annotated[
        str, typer.Argument(help="origin, or a challenge's service.", autocompletion=completion.services)
    ],
    wanted: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME=MAGNITUDE, NAME for its usual magnitude, NAME=off, or off for all; a list if left out.",
            show_default=False,
            metavar="[FAULT]...",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The origin draws the same again.", show_default=False)
    ] = None,
    file: ComposeFile = None,
    as_json: AsJson = False,
) -> None:
    """Let something go wrong, or list what can. Other faults stay as they are.

    Example: lab fault origin drop-after=0.2
    """
    import json

    from lab.learner import live, view

    reached = live.reach(service, file)
    faults, changes = reached.faults(), bool(wanted) or seed is not None
    if changes:
        faults = live.change(reached, faults, wanted or [], seed)
    show = view.print_in_force if changes else view.print_faults
    typer.echo(json.dumps(faults, indent=1)) if as_json else show(reached.name, faults)
