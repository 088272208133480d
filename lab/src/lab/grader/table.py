"""Which check rejects which wrong solution, as a table for a README: `python -m lab.grader.table T1 README.md`."""

import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from lab import LabError
from lab.challenges import Challenge, find, home, installed
from lab.grader.catalogue import checks_of
from lab.grader.engines import mutants

__all__ = ["inserted", "table"]

BEGIN, END = "<!-- wrong solutions: written by lab.grader.table -->", "<!-- end of the wrong solutions -->"


def table(challenge: Challenge) -> str:
    """One row for each check and mutant, in Markdown; the last column says whether the check rejects the naive."""
    naive = tomllib.loads((home(challenge) / "challenge.toml").read_text(encoding="utf-8")).get(
        "naive_fails", ()
    )
    rows = [
        f"| `{check.name}` | {mutant} | {'✗' if check.name in naive else ''} |"
        for check in checks_of(challenge)
        for mutant in _rejected(challenge, check.name)
    ]
    return "\n".join(["| check | rejects | naive |", "|---|---|---|", *rows])


def _rejected(challenge: Challenge, check: str) -> Iterator[str]:
    found = [name for name, named in mutants(challenge).items() if named == check]
    module = importlib.import_module(f"{challenge.module}.mutants")
    for name in found:
        said = " ".join((inspect.getdoc(getattr(module, name)) or "").split())
        yield f"`{name}`: {said}"
    if not found:
        yield ""


def inserted(text: str, challenge: Challenge) -> str:
    """`text` with the table of today between its two marks. Raises LabError where there are none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise LabError(f"There is no place for the table: mark it with {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n\n{table(challenge)}\n\n{END}{after}"


if __name__ == "__main__":
    readme = Path(sys.argv[2])
    chosen = find(sys.argv[1], installed())
    readme.write_text(inserted(readme.read_text(encoding="utf-8"), chosen), encoding="utf-8")
