"""The reference engine, for reading: after a pass, or for who asks to be spoiled."""

import ast
from dataclasses import dataclass
from pathlib import Path

from lab import LabError
from lab.challenges import home
from lab.learner.syllabus import Entry
from lab.progress.changes import spoiled
from lab.progress.store import Store, now

__all__ = ["Source", "open_solution"]


@dataclass(frozen=True)
class Source:
    """One file of the solution; `about` is the first line of what it says of itself."""

    path: Path
    about: str
    text: str


def open_solution(entry: Entry, store: Store, *, spoil: bool = False) -> list[Source]:
    """The files of the reference engine. To be spoiled is remembered.

    Raises LabError before the learner's own engine has passed, unless `spoil`.
    """
    if not store.read().of(entry.code).passed:
        if not spoil:
            raise LabError(
                f"Your engine of {entry.code} has not passed yet, and finding out is the lesson: "
                f"`lab hint {entry.code}` helps. To see the solution all the same: "
                f"`lab solution {entry.code} --spoil`."
            )
        store.update(lambda progress: spoiled(progress, entry.code, now()))
    return [_source(path) for path in _files(home(entry.challenge))]


def _files(package: Path) -> list[Path]:
    if (package / "engine").is_dir():
        return sorted((package / "engine").glob("**/*.py"))
    return [package / "engine.py"]


def _source(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text)) or ""
    return Source(path, said.partition("\n")[0], text)
