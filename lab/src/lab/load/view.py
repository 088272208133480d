"""Shows a load to people: progress on standard error, the result on standard output."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from lab.load.reports import FLOW, Entry, Job, Progress, Summary

__all__ = ["as_json", "print_summary", "progress"]

WIDTH = 130  # columns where there is no terminal to ask
MIB = 2**20


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """Yield what shows progress: one line that changes on a terminal, else one line each."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield lambda now: console.print(now.text, soft_wrap=True)
        return
    with console.status("starting ...") as status:
        yield lambda now: status.update(now.text)


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Print the tables: what was done and how long it took, then the errors by kind."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(_entries(summary))
    if summary.errors:
        console.print(_errors(summary))
    console.print(verdict(summary))


def verdict(summary: Summary) -> str:
    """Return the result in one sentence."""
    requests = sum(entry.requests for entry in summary.entries if entry.method != FLOW)
    rate = requests / summary.elapsed if summary.elapsed else 0.0
    done = f"{requests} requests in {summary.elapsed:.1f} s ({rate:.0f} a second)"
    errors = sum(problem.count for problem in summary.errors)
    if not requests:
        return "Nothing was asked of the service."
    return f"{done}, {errors} errors." if errors else f"{done}, no errors."


def as_json(job: Job, summary: Summary) -> str:
    """Return the load and its result as one JSON document; times in seconds."""
    return json.dumps({"load": asdict(job), "ok": summary.ok, **asdict(summary)}, indent=1)


def _entries(summary: Summary) -> Table:
    table = Table()
    table.add_column("what", overflow="fold")
    for title in ("count", "failed", "per s", "p50", "p95", "p99", "MiB/s"):
        table.add_column(title, justify="right")
    for number, entry in enumerate(summary.entries):
        following = summary.entries[number + 1 : number + 2]
        last_flow = entry.method == FLOW and bool(following) and following[0].method != FLOW
        table.add_row(*_row(entry, summary.elapsed), end_section=last_flow)
    return table


def _row(entry: Entry, elapsed: float) -> list[str]:
    what = entry.name if entry.method == FLOW else f"{entry.method} {entry.name}"
    speed = f"{entry.bytes / MIB / elapsed:.1f}" if entry.method == FLOW and elapsed else ""
    times = [_seconds(seconds) for seconds in (entry.p50, entry.p95, entry.p99)]
    counts = [str(entry.requests), str(entry.failures), f"{entry.per_second:.1f}"]
    return [what.replace("[", r"\["), *counts, *times, speed]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _errors(summary: Summary) -> Table:
    table = Table("error", "where")
    table.add_column("count", justify="right")
    for problem in summary.errors:
        where = f"{problem.method} {problem.name}".replace("[", r"\[")
        table.add_row(problem.error.replace("[", r"\["), where, str(problem.count))
    return table
