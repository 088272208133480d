"""Shows a load to people: progress on standard error, the result on standard output."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.load.reports import FLOW, Entry, Job, Progress, Summary
from lab.terminal import columns, console, plain

__all__ = ["as_json", "line", "print_summary", "progress", "verdict"]

MIB = 2**20


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """Yield what shows progress: one line that changes on a terminal, else one line each."""
    shown = Console(stderr=True, highlight=False)
    if not shown.is_terminal:
        yield lambda now: shown.print(line(now), soft_wrap=True, markup=False)
        return
    with shown.status("starting ...") as status:
        yield lambda now: status.update(escape(line(now)))


def line(now: Progress) -> str:
    """Return how it goes, in one line."""
    time = f"{now.elapsed:.0f} of {now.seconds:.0f} s"
    if now.elapsed > now.seconds:
        time = f"{now.elapsed:.0f} s, waiting for the last visits"
    flows = [
        f"{name}: {rate:.1f}/s" + (f" (p95 {_seconds(now.p95[name])})" if name in now.p95 else "")
        for name, rate in now.flows.items()
    ]
    parts = [time, f"users: {now.users}", f"requests: {now.requests:.0f}/s", *flows]
    return ", ".join([*parts, f"failures: {now.failures}"])


def print_summary(summary: Summary, shown: Console | None = None) -> None:
    """Print the tables: what was done and how long it took, then the errors by kind."""
    shown = plain(shown) if shown else console()
    shown.print(_entries(summary, shown))
    if summary.errors:
        shown.print(_errors(summary, shown))
    shown.print(verdict(summary))


def verdict(summary: Summary) -> str:
    """Return the result in one sentence."""
    requests = sum(entry.requests for entry in summary.entries if entry.method != FLOW)
    rate = requests / summary.elapsed if summary.elapsed else 0.0
    errors = sum(problem.count for problem in summary.errors)
    if not requests:
        return "Nothing was asked of the service."
    said = f"{_many(requests, 'request')} in {summary.elapsed:.1f} s ({rate:.0f} a second), "
    said += f"{_many(errors, 'error') if errors else 'no errors'}."
    if summary.unfinished:
        said += f" Cut short at the end, and in no time above: {_many(summary.unfinished, 'visit')}."
    return said


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def as_json(job: Job, summary: Summary) -> str:
    """Return the load and its result as one JSON document; times in seconds."""
    return json.dumps({"load": asdict(job), "ok": summary.ok, **asdict(summary)}, indent=1)


def _entries(summary: Summary, shown: Console) -> Table:
    table = columns(shown)
    table.add_column("what", overflow="fold")
    for title in ("count", "failed", "per s", "p50", "p95", "p99", "MiB/s"):
        table.add_column(title, justify="right")
    for number, entry in enumerate(summary.entries):
        following = summary.entries[number + 1 : number + 2]
        last_flow = entry.method == FLOW and bool(following) and following[0].method != FLOW
        table.add_row(*_row(entry, summary.elapsed), end_section=last_flow)
    return table


def _row(entry: Entry, elapsed: float) -> list[str]:
    speed = f"{entry.bytes / MIB / elapsed:.1f}" if entry.method == FLOW and elapsed else ""
    times = [_seconds(seconds) for seconds in (entry.p50, entry.p95, entry.p99)]
    counts = [str(entry.requests), str(entry.failures), f"{entry.per_second:.1f}"]
    return [_name(entry.method, entry.name), *counts, *times, speed]


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _errors(summary: Summary, shown: Console) -> Table:
    table = columns(shown, "error", "where")
    table.add_column("count", justify="right")
    for problem in summary.errors:
        table.add_row(escape(problem.error), _name(problem.method, problem.name), str(problem.count))
    return table


def _name(method: str, name: str) -> str:
    return escape(name if method == FLOW else f"{method} {name}")
