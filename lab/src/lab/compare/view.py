"""Shows a comparison: a table, a chart in the terminal, one JSON document."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.compare.result import Comparison, Spread
from lab.experiments.view import number
from lab.learner.live import Live
from lab.load.reports import FLOW, Job, Progress
from lab.load.view import line
from lab.terminal import columns, console

__all__ = ["as_json", "print_comparison", "progress"]


@contextmanager
def progress() -> Iterator[Callable[[str, Progress], None]]:
    """Yield what says on standard error how it goes; off a terminal, one line for each round."""
    shown = Console(stderr=True, highlight=False)
    if not shown.is_terminal:
        told: set[str] = set()

        def once(what: str, now: Progress) -> None:
            if what not in told:
                told.add(what)
                shown.print(what, soft_wrap=True)

        yield once
        return
    with shown.status("starting ...") as status:
        yield lambda what, now: status.update(escape(f"{what}: {line(now)}"))


def print_comparison(live: Live, job: Job, rounds: int, found: Comparison) -> None:
    """What was done, the table, a chart of it, and how to read both."""
    from lab.compare.chart import in_terminal

    shown = console()
    if found.samples:
        shown.print(_table(found, shown))
    if found.samples and shown.is_terminal:
        shown.print(in_terminal(found, min(shown.width, 100)), markup=False)
    for engine, reason in found.left_out.items():
        shown.print(f"{engine} is left out: {reason}", markup=False, soft_wrap=True)
    shown.print(_conditions(live, job, rounds, found), style="dim", markup=False)


def _table(found: Comparison, shown: Console) -> Table:
    method, name = found.what
    table = columns(shown, "", title=escape(name if method == FLOW else f"{method} {name}"))
    for engine in found.engines:
        table.add_column(engine, justify="right")
    for metric, row in found.table().items():
        cells = [_cell(row.get(engine), base=engine == found.base) for engine in found.engines]
        table.add_row(f"{metric.name}\n[dim]{metric.unit}[/]", *cells)
    return table


def _cell(spread: Spread | None, *, base: bool) -> str:
    if spread is None:
        return "-"
    ratio = "" if base or spread.ratio is None else f"  [bold]{spread.ratio:.2f}x[/]"
    span = "" if spread.low == spread.high else f"{number(spread.low)} to {number(spread.high)}"
    return f"{number(spread.median)}{ratio}\n[dim]{span}[/]"


def _conditions(live: Live, job: Job, rounds: int, found: Comparison) -> str:
    many = "1 round" if rounds == 1 else f"{rounds} rounds"
    return (
        f"Median of {many}, lowest to highest, and the ratio to {found.base or 'nothing'}; {job.users} users "
        f"({job.shape}) for {job.seconds:g} s each.\n"
        f"The engines took turns in one process ({live.name} at {live.url}): same CPUs, same limits, same load, "
        "the same seed in a round. Memory is the most of that process; an earlier engine's may be in it."
    )


def as_json(live: Live, job: Job, rounds: int, found: Comparison) -> str:
    """Every round and every number as one JSON document."""
    table = found.table()
    engines = {
        engine: {
            metric.name: {"unit": metric.unit, **asdict(row[engine])}
            for metric, row in table.items()
            if engine in row
        }
        for engine in found.engines
    }
    return json.dumps(
        {
            "challenge": live.code,
            "service": {"name": live.name, "url": live.url},
            "load": asdict(job),
            "rounds": rounds,
            "counted": found.what[1],
            "base": found.base,
            "engines": engines,
            "left_out": dict(found.left_out),
            "samples": [asdict(sample) for sample in found.samples],
        },
        indent=1,
    )
