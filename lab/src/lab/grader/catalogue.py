"""The checks of a challenge, read but not run: one function is one check, its docstring the requirement."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import LabError
from lab.challenges import Challenge, home, nearest

__all__ = ["Check", "checks_of"]


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement, and where it is judged."""

    name: str
    requirement: str
    file: Path

    @property
    def node(self) -> str:
        """What pytest calls it."""
        return f"{self.file}::test_{self.name}"


def checks_of(challenge: Challenge, only: Sequence[str] = ()) -> list[Check]:
    """The checks by file and line, or those named `only`.

    Raises LabError where there is none, or a file of them is no Python.
    """
    files = sorted((home(challenge) / "checks").glob("test_*.py"))
    found = [check for file in files for check in _in(file)]
    known = {check.name: check for check in found}
    unknown = [name for name in only if name not in known]
    if not found:
        raise LabError(f"{challenge.code} has nothing to check: there is no test_*.py in checks.")
    if unknown:
        raise LabError(f"{challenge.code} has no check {unknown[0]!r}: {nearest(unknown[0], known)}")
    return [known[name] for name in only] if only else found


def _in(file: Path) -> Iterator[Check]:
    for node in _parsed(file).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            requirement = " ".join((ast.get_docstring(node) or "").split())
            yield Check(node.name.removeprefix("test_"), requirement, file)


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise LabError(f"{file}:{error.lineno} is no Python: {error.msg}.") from None
