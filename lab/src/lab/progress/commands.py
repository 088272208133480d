"""lab progress, with export, import and reset. What they need is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer

from lab.arguments import AsJson
from lab.learner import completion

__all__ = ["register"]

_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_File = Annotated[Path, typer.Argument(help="A file; - is the standard stream.", allow_dash=True)]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None, add_completion=False)
    group.callback()(progress)
    group.command("export")(export)
    group.command("import")(import_)
    group.command("reset")(reset)
    app.add_typer(group, name="progress")


def progress(
    context: typer.Context,
    as_json: AsJson = False,
) -> None:
    """Show what you have done in each challenge, and what is next.

    Example: lab progress --json
    """
    from lab.learner.syllabus import weeks
    from lab.progress import view
    from lab.progress.store import the_store
    from lab.progress.summary import standings

    if context.invoked_subcommand:
        return
    every = standings(weeks(), the_store().read())
    typer.echo(view.as_json(every)) if as_json else view.print_table(every)


def export(
    file: _File,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write your progress to a file, for another machine or for a teacher.

    Example: lab progress export progress.json
    """
    from lab import LabError
    from lab.progress.store import the_store

    text = the_store().read().to_json()
    if str(file) == "-":
        typer.echo(text, nl=False)
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError:
        raise LabError(f"{file} is there already: name another file, or add --force.") from None
    except OSError as error:
        raise LabError(f"{file} cannot be written: {error.strerror}.") from None
    typer.echo(f"Your progress is in {file}.", err=True)


def import_(file: _File) -> None:
    """Add what a file knows to your progress. Nothing you have is lost, and doing it twice changes nothing.

    Example: lab progress import progress.json
    """
    import sys

    from lab import LabError
    from lab.progress.changes import merged
    from lab.progress.store import parse, the_store

    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise LabError(f"{file} cannot be read: {error.strerror}.") from None
    found = parse(text, str(file))
    the_store().update(lambda before: merged(before, found))
    typer.echo(f"{file} is part of your progress now: {', '.join(found.challenges) or 'nothing was in it'}.")


def reset(
    challenge: Annotated[
        str | None,
        typer.Argument(
            help="Only this one; all if left out.", show_default=False, autocompletion=completion.challenges
        ),
    ] = None,
    yes: _Yes = False,
) -> None:
    """Forget what you have done. Your files in the workspace stay.

    Example: lab progress reset T1
    """
    import sys

    from lab import WrongUsage
    from lab.progress.changes import without
    from lab.progress.store import the_store

    code = _code(challenge) if challenge else None
    what = f"what you have done in {code}" if code else "everything you have done"
    if not yes and not sys.stdin.isatty():
        raise WrongUsage(f"This forgets {what}: add --yes where nobody can be asked.")
    if not yes and not typer.confirm(f"Forget {what}?"):
        raise typer.Exit(1)
    the_store().update(lambda before: without(before, code))
    typer.echo(f"Forgotten: {what}.")


def _code(name: str) -> str:
    """The code of a challenge, or of one that is remembered though it is not installed any more."""
    from lab.learner.syllabus import named
    from lab.progress.store import the_store

    remembered = {code.casefold(): code for code in the_store().read().challenges}
    return remembered.get(name.casefold()) or named(name).code
