"""lab bench. What it needs is imported when it runs, so that `lab --help` is quick."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from lab.arguments import AsJson, ComposeFile
from lab.learner import completion

if TYPE_CHECKING:
    from pathlib import Path

    from lab.bench.catalogue import Benchmark
    from lab.challenges import Challenge

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command()(bench)


def bench(
    challenge: Annotated[
        str | None,
        typer.Argument(
            help="A challenge's code, folder or module; a list of all benchmarks if left out.",
            autocompletion=completion.challenges,
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The benchmark; all of the challenge if left out.",
            show_default=False,
            autocompletion=completion.benchmarks,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All benchmarks of all challenges.")] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, max=100, help="Interleaved rounds.", show_default=False)
    ] = None,
    busy: Annotated[bool, typer.Option("--busy", help="Measure although the machine is not idle.")] = False,
    as_json: AsJson = False,
    file: ComposeFile = None,
) -> None:
    """Measure a challenge against its peers, interleaved.

    Ratios count, not figures. Exit 0 if all ran, else 1.

    Example: lab bench T1 peers --rounds 3
    """
    from lab.bench.catalogue import chosen, folder_of
    from lab.challenges import installed
    from lab.learner.syllabus import named
    from lab.load.commands import compose_file

    folder = folder_of(compose_file(file))
    options = [*(["--rounds", str(rounds)] if rounds else []), *(["--busy"] if busy else [])]
    if challenge is not None:
        return _run(chosen(named(challenge).challenge, folder, name), options)
    listed = _all_of(installed(), folder)
    if every:
        return _run([benchmark for _, benchmark in listed], options)
    _list(listed, as_json=as_json)


def _all_of(challenges: "Sequence[Challenge]", folder: "Path") -> "list[tuple[Challenge, Benchmark]]":
    from lab.bench.catalogue import benchmarks_of

    return [(one, benchmark) for one in challenges for benchmark in benchmarks_of(one, folder)]


def _run(benchmarks: "Sequence[Benchmark]", options: Sequence[str]) -> None:
    """Each in turn, as a process of its own; the next also when one fails."""
    import platform
    import subprocess
    import sys

    from lab import Ended

    typer.echo(f"Python {platform.python_version()}, {platform.python_compiler()}", err=True)
    failed = False
    for benchmark in benchmarks:
        typer.echo(f"{benchmark.path.stem}: {benchmark.about}", err=True)
        failed |= subprocess.run([sys.executable, benchmark.path, *options]).returncode != 0
    raise Ended(int(failed))


def _list(listed: "Sequence[tuple[Challenge, Benchmark]]", *, as_json: bool) -> None:
    import json

    if as_json:
        rows = [
            {"challenge": one.code, "name": benchmark.name, "about": benchmark.about}
            for one, benchmark in listed
        ]
        return typer.echo(json.dumps(rows, indent=1))
    for one, benchmark in listed:
        typer.echo(f"{one.code:<4}{benchmark.name:<12}{benchmark.about}")
