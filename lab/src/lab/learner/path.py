"""The learning path as a page: `python -m lab.learner.path docs/learning-path.md`, from the syllabus alone."""

import sys
from collections.abc import Sequence
from pathlib import Path

from lab.challenges import installed
from lab.learner.syllabus import DIMENSIONS, Entry, Week, taught, weeks

__all__ = ["page"]

HEAD = """\
# The learning path

Five weeks, one way of doing many things at once in each, two challenges a week. Each challenge needs what the ones
before it taught. Minutes are an estimate for somebody who meets the subject for the first time. `lab` shows the
same path with what you have done; `lab start T1` begins it.

<!-- Written by `python -m lab.learner.path docs/learning-path.md` from the challenges' own descriptions. -->
"""


def page() -> str:
    """The whole page, in Markdown; a stranger's challenge, installed here, is not on it."""
    shown = weeks([challenge for challenge in installed() if challenge.code in taught()])
    parts = [HEAD, *(_week(number, week) for number, week in enumerate(shown, 1)), _table(shown)]
    return "\n".join(parts)


def _week(number: int, week: Week) -> str:
    rows = [_row(entry) for entry in week.entries]
    head = "| | challenge | teaches | minutes |\n|---|---|---|---|"
    return f"## Week {number}: {week.category}\n\n{week.outcome}\n\n{head}\n" + "\n".join(rows) + "\n"


def _row(entry: Entry) -> str:
    title = entry.challenge.title
    if entry.installed:
        title = f"[{title}](../services/{entry.challenge.folder}/README.md)"
    return f"| {entry.code} | {title} | {', '.join(entry.skills)} | {entry.minutes} |"


def _table(shown: Sequence[Week]) -> str:
    every = [entry for week in shown for entry in week.entries]
    rows = [
        f"| {e.code} | " + " | ".join(str(e.complexity[name]) for name in DIMENSIONS) + " |" for e in every
    ]
    head = f"| | {' | '.join(DIMENSIONS)} |\n|---|{'---|' * len(DIMENSIONS)}"
    said = "How much of each dimension a challenge asks for, from 0 (none) to 5 (all there is to know)."
    return f"## Complexity\n\n{said}\n\n{head}\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
