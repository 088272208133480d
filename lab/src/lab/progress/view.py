"""What `lab progress` shows."""

import json
from collections.abc import Sequence
from datetime import datetime

from rich.table import Table

from lab.progress.record import VERSION
from lab.progress.summary import Standing, suggested
from lab.terminal import console

__all__ = ["as_json", "overview", "print_table"]


def as_json(every: Sequence[Standing]) -> str:
    """One document for a teacher's script; times are UTC."""
    following = suggested(every)
    return json.dumps(
        {
            "version": VERSION,
            "next": following.entry.code if following else None,
            "challenges": [_as_dict(standing) for standing in every],
        },
        indent=1,
    )


def print_table(every: Sequence[Standing]) -> None:
    """Each challenge with what was done, and what is next."""
    shown = console()
    table = Table("", "challenge", "state", box=None, pad_edge=False)
    for column in ("checks", "tries", "hints"):
        table.add_column(column, justify="right")
    table.add_column("last", no_wrap=True)
    for standing in every:
        table.add_row(*_row(standing), style="dim" if standing.state == "coming" else "")
    shown.print(table)
    following = suggested(every)
    shown.print(
        overview(every) + (f" Next: lab start {following.entry.code}" if following else ""), markup=False
    )


def overview(every: Sequence[Standing]) -> str:
    """How many have passed, in a sentence."""
    here = [standing for standing in every if standing.state != "coming"]
    passed = sum(standing.state == "passed" for standing in here)
    return f"{passed} of {len(here)} passed, {len(every) - len(here)} more to come."


def _row(standing: Standing) -> list[str]:
    record = standing.record
    checks = f"{standing.passed} of {standing.checks}" if standing.entry.installed else ""
    counts = [str(number or "") for number in (len(record.attempts), standing.hints)]
    last = f"{record.attempts[-1].at.astimezone():%Y-%m-%d}" if record.attempts else ""
    solution = " (solution seen)" if record.solution and not record.passed else ""
    return [
        standing.entry.code,
        standing.entry.challenge.title,
        standing.state + solution,
        checks,
        *counts,
        last,
    ]


def _as_dict(standing: Standing) -> dict[str, object]:
    record, entry = standing.record, standing.entry
    return {
        "code": entry.code,
        "title": entry.challenge.title,
        "category": entry.challenge.category,
        "state": standing.state,
        "checks": standing.checks,
        "checks_passed": standing.passed,
        "attempts": len(record.attempts),
        "hints": standing.hints,
        "started": _moment(record.started),
        "passed": _moment(record.passed),
        "solution_seen": _moment(record.solution),
    }


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
