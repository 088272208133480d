"""What the shell completes: challenges that are installed, and what each has."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING

import typer

from lab import LabError

if TYPE_CHECKING:
    from lab.challenges import Challenge

__all__ = ["benchmarks", "challenges", "checks", "engines", "experiments", "services"]

type Found = list[tuple[str, str]]
type Complete = Callable[[typer.Context, str], Found]


def _or_nothing(complete: Complete) -> Complete:
    """Offers nothing where the challenge is unknown: a message would be taken for what was typed."""

    @wraps(complete)
    def completed(context: typer.Context, incomplete: str) -> Found:
        try:
            return complete(context, incomplete)
        except LabError:
            return []

    return completed


def challenges(incomplete: str) -> Found:
    """Codes and folders that begin with what was typed, each with its title."""
    from lab.challenges import installed

    return _beginning(
        incomplete, ((name, one.title) for one in installed() for name in (one.code, one.folder))
    )


def services(incomplete: str) -> Found:
    """The same, and the origin."""
    origin = [("origin", "the synthetic web")] if "origin".startswith(incomplete.casefold()) else []
    return challenges(incomplete) + origin


@_or_nothing
def checks(context: typer.Context, incomplete: str) -> Found:
    """The checks of the challenge that was typed before, each with its requirement."""
    from lab.grader.catalogue import checks_of

    found = checks_of(_challenge(context))
    return _beginning(incomplete, ((check.name, check.requirement) for check in found))


@_or_nothing
def engines(context: typer.Context, incomplete: str) -> Found:
    """The engines of the challenge that was typed before, its mutants with the check that rejects each."""
    from lab.grader.engines import KINDS, mutants

    wrong = mutants(_challenge(context))
    plain = [(name, "") for name in ("mine", *KINDS)]
    return _beginning(incomplete, [*plain, *((f"mutant:{name}", check) for name, check in wrong.items())])


@_or_nothing
def experiments(context: typer.Context, incomplete: str) -> Found:
    """The experiments of the challenge that was typed before, each with its claim."""
    from lab.experiments.catalogue import experiments_of

    found = experiments_of(_challenge(context))
    return _beginning(incomplete, ((one.name, one.claim) for one in found))


@_or_nothing
def benchmarks(context: typer.Context, incomplete: str) -> Found:
    """The benchmarks of the challenge that was typed before, each with what it measures."""
    from lab.bench.catalogue import benchmarks_of, folder_of
    from lab.load.commands import compose_file

    found = benchmarks_of(_challenge(context), folder_of(compose_file(None)))
    return _beginning(incomplete, ((one.name, one.about) for one in found))


def _challenge(context: typer.Context) -> "Challenge":
    """What was typed before. Where an option still lacks its value, arguments have not found their names yet."""
    from lab.learner.syllabus import named

    return named(context.params.get("challenge") or next(iter(context.args), "")).challenge


def _beginning(typed: str, found: Iterable[tuple[str, str]]) -> Found:
    return [(name, said) for name, said in found if name.casefold().startswith(typed.casefold())]
