"""Finds the benchmarks of a checkout: `tests/bench/<module>_<name>.py`, a program each."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import LabError, WrongUsage
from lab.challenges import Challenge, nearest

__all__ = ["Benchmark", "benchmarks_of", "chosen", "folder_of"]


@dataclass(frozen=True)
class Benchmark:
    """A program that measures in interleaved rounds and prints ratios; it takes --rounds and --busy."""

    name: str
    path: Path

    @property
    def about(self) -> str:
        """The first sentence of the program's docstring."""
        text = ast.get_docstring(ast.parse(self.path.read_text(encoding="utf-8"))) or ""
        return " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def folder_of(compose: Path | None) -> Path:
    """The benchmarks of the checkout with this Compose file. Raises LabError where there are none."""
    folder = compose.parent / "tests" / "bench" if compose else None
    if folder is None or not folder.is_dir():
        raise LabError(
            "There are no benchmarks here: they compare with other programs and are not installed with the lab. "
            "Go into a checkout of the Concurrency Lab, where tests/bench is."
        )
    return folder


def benchmarks_of(challenge: Challenge, folder: Path) -> Sequence[Benchmark]:
    """The benchmarks of a challenge by name; there may be none."""
    prefix = f"{challenge.module}_"
    return [Benchmark(path.stem.removeprefix(prefix), path) for path in sorted(folder.glob(f"{prefix}*.py"))]


def chosen(challenge: Challenge, folder: Path, name: str | None) -> Sequence[Benchmark]:
    """The benchmark called `name`, else all. Raises WrongUsage, with the nearest, for another name."""
    known = {benchmark.name: benchmark for benchmark in benchmarks_of(challenge, folder)}
    if not known:
        raise LabError(f"{challenge.code} has no benchmark: there is no {folder}/{challenge.module}_*.py.")
    if name is None:
        return list(known.values())
    if name.casefold() not in known:
        raise WrongUsage(f"{challenge.code} has no benchmark {name!r}: {nearest(name, known)}")
    return [known[name.casefold()]]
