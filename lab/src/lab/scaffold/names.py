"""What a new challenge is called, and where it goes."""

import importlib.util
import keyword
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import WrongUsage
from lab.challenges import Challenge
from lab.learner.syllabus import Entry, taught

__all__ = ["Names", "named", "place", "repository"]

CODE, NAME = re.compile(r"[A-Z][A-Z0-9]{0,7}"), re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
FIRST_PORT, STRANGERS_PORT = 8001, 8011


@dataclass(frozen=True)
class Names:
    """All that is derived from a code and a name. An empty `category` is that of its kind."""

    code: str
    module: str
    title: str
    category: str = ""
    port: int = STRANGERS_PORT

    @property
    def folder(self) -> str:
        return self.module.replace("_", "-")

    @property
    def engine(self) -> str:
        return "".join(word.capitalize() for word in self.module.split("_"))


def named(code: str, name: str, known: Sequence[Entry]) -> Names:
    """The names for `code` and `name`, among the challenges that are `known`, the syllabus included.

    Raises WrongUsage for what is no name, or is taken. What the syllabus has planned keeps its title and category.
    """
    if not CODE.fullmatch(code):
        raise WrongUsage(
            f"{code!r} is no code: write a capital letter and then capitals or digits, as in X1."
        )
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise WrongUsage(f"{name!r} is no name: write words of small letters and digits, as in word-count.")
    module = name.replace("-", "_")
    planned = _planned(code, module, known)
    _require_free(module)
    if planned:
        port = FIRST_PORT + taught().index(code)
        return Names(code, module, planned.title, planned.category, port)
    return Names(code, module, module.replace("_", " ").capitalize())


def place(folder: Path | None, names: Names) -> Path:
    """Where the challenge goes: `folder`, else services/ of this repository, else a folder of its name here.

    Raises WrongUsage for what is there already, or cannot be made.
    """
    root = repository(Path.cwd())
    chosen = (folder or (root / "services" if root else Path.cwd()) / names.folder).expanduser().resolve()
    if chosen.exists():
        raise WrongUsage(f"{chosen} is there already: name another folder with --folder.")
    if not chosen.parent.is_dir():
        raise WrongUsage(f"There is no folder {chosen.parent}: make it first.")
    return chosen


def repository(here: Path) -> Path | None:
    """The root of the lab's repository, if `here` is within it."""
    return next((one for one in (here, *here.parents) if _is_repository(one)), None)


def _is_repository(folder: Path) -> bool:
    return (folder / "compose.yaml").is_file() and (folder / "services").is_dir()


def _planned(code: str, module: str, known: Sequence[Entry]) -> Challenge | None:
    """What the syllabus has planned under this code and module; nothing of either may be taken."""
    for entry in known:
        there = entry.challenge
        if (code, module) == (there.code, there.module) and not entry.installed:
            return there
        if code == there.code or module == there.module:
            raise WrongUsage(f"{there.code} is {there.module} ({there.title}): choose another code and name.")
    return None


def _require_free(module: str) -> None:
    """A package that hides another, or is hidden by it, could not be imported."""
    if importlib.util.find_spec(module) is not None:
        raise WrongUsage(f"There is a Python package {module!r} already: choose another name.")
