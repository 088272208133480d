"""Finds the challenges that are installed, our own and a stranger's alike.

A package is a challenge when it has an entry point in the group `lab.challenges` whose value is a module
with a `challenge.toml` beside its code. Nothing of a challenge is imported to find it.
"""

import difflib
import importlib.util
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from lab import LabError, WrongUsage

__all__ = ["GROUP", "Challenge", "find", "home", "installed", "nearest"]

GROUP = "lab.challenges"


@dataclass(frozen=True)
class Challenge:
    """One challenge, as its `challenge.toml` describes it; `module` is what its package is imported as."""

    code: str
    title: str
    category: str
    module: str

    @property
    def folder(self) -> str:
        """Its folder under services/, which is also its service's name in compose.yaml."""
        return self.module.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable that says where its service is."""
        return f"{self.module.upper()}_URL"


def installed(entries: Iterable[EntryPoint] | None = None) -> list[Challenge]:
    """Return the challenges by code. Raises LabError for one whose description cannot be read."""
    found = entry_points(group=GROUP) if entries is None else entries
    return sorted((_read(entry) for entry in found), key=lambda challenge: challenge.code)


def find(name: str, challenges: Sequence[Challenge]) -> Challenge:
    """Return the challenge with this code, folder or module, in any case. Raises WrongUsage, with the nearest."""
    wanted = name.casefold()
    for challenge in challenges:
        if wanted in (challenge.code.casefold(), challenge.folder, challenge.module):
            return challenge
    raise WrongUsage(f"There is no challenge {name!r}: {_hint(wanted, challenges)}")


def nearest(wanted: str, names: Iterable[str], every: str = "") -> str:
    """Words for who misspelt `wanted`: the nearest of `names`, or all there are; `every` lists them better."""
    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(wanted.casefold(), known, n=1, cutoff=0.5)
    return f"did you mean {known[near[0]]!r}?" if near else f"there are {every or ', '.join(known.values())}."


def _hint(wanted: str, challenges: Sequence[Challenge]) -> str:
    names = [name for challenge in challenges for name in (challenge.folder, challenge.module)]
    known = ", ".join(f"{challenge.code} ({challenge.folder})" for challenge in challenges)
    return nearest(wanted, names, known or "none installed")


def _read(entry: EntryPoint) -> Challenge:
    try:
        described = tomllib.loads((_folder(entry.value) / "challenge.toml").read_text(encoding="utf-8"))
        return Challenge(described["code"], described["title"], described["category"], entry.value)
    except (OSError, KeyError, ImportError, tomllib.TOMLDecodeError) as error:
        raise LabError(
            f"The challenge {entry.name} cannot be read from {entry.value!r}: {error!r}. "
            "It needs a challenge.toml with code, title and category."
        ) from error


def _folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"no package {module!r} is installed")
    return Path(spec.submodule_search_locations[0])


def home(challenge: Challenge) -> Path:
    """Return the folder of its package."""
    return _folder(challenge.module)
