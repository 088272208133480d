"""The learner's file: made from the starter, and never lost."""

import shutil
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from lab import LabError
from lab.challenges import GROUP, Challenge, home

__all__ = ["BRIEF_ENDS", "Begun", "begin", "brief", "file_of", "readme"]

BRIEF_ENDS = "<!-- end of the brief -->"


@dataclass(frozen=True)
class Begun:
    """What became of the learner's file: `made` now or found there, and where the one before is kept."""

    path: Path
    made: bool
    backup: Path | None = None


def file_of(challenge: Challenge, workspace: Path) -> Path:
    """Where the learner's engine is, or will be."""
    return workspace / f"{challenge.module}.py"


def begin(challenge: Challenge, workspace: Path, *, again: bool = False) -> Begun:
    """Put the starter into the workspace. A file that is there stays; with `again` it is kept as a copy.

    Raises LabError for a challenge without a starter, or a folder that cannot be written.
    """
    starter, path = home(challenge) / "starter.py", file_of(challenge, workspace)
    if not starter.is_file():
        raise LabError(f"{challenge.code} has no starter.py: there is nothing to begin with.")
    try:
        workspace.mkdir(parents=True, exist_ok=True)
        if path.exists() and not again:
            return Begun(path, made=False)
        backup = _copied_aside(path) if path.exists() else None
        shutil.copyfile(starter, path)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}.") from None
    return Begun(path, made=True, backup=backup)


def brief(challenge: Challenge) -> str:
    """The README of a challenge up to BRIEF_ENDS: what comes after that line gives something away.

    Raises LabError for a challenge without a README.
    """
    return readme(challenge).partition(BRIEF_ENDS)[0]


def readme(challenge: Challenge) -> str:
    """The README of a challenge, in Markdown: beside its source, else as its package was installed with.

    Raises LabError where there is neither.
    """
    project = home(challenge).parent.parent
    if (project / "pyproject.toml").is_file() and (project / "README.md").is_file():
        return (project / "README.md").read_text(encoding="utf-8")
    text = _long_description(challenge)
    if not text:
        raise LabError(f"{challenge.code} has no README: its package should name one in pyproject.toml.")
    return text


def _copied_aside(path: Path) -> Path:
    """Copy to the first free `name.py.1`, `name.py.2`, ...; never over another copy."""
    content, number = path.read_bytes(), 1
    while True:
        backup = path.with_name(f"{path.name}.{number}")
        try:
            with backup.open("xb") as file:
                file.write(content)
            return backup
        except FileExistsError:
            number += 1


def _long_description(challenge: Challenge) -> str:
    owners = [entry.dist for entry in entry_points(group=GROUP) if entry.value == challenge.module]
    return str(owners[0].metadata.get("Description") or "") if owners and owners[0] else ""
