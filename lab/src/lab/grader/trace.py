"""A failure in columns, one for each thread: which lines of the engine it ran, and where it was stopped."""

import shutil
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.grader.outcome import Outcome

__all__ = ["WIDTH", "render", "room"]

WIDTH, NARROW, INDENT, NEAR, LAST, COLUMNS, NAME = 110, 50, 6, 4, 60, 2, 16


@dataclass(frozen=True, slots=True)
class Row:
    """A thread ran a line; `stopped` before, if another thread could have gone on instead."""

    thread: str
    file: str
    line: int
    stopped: bool


def room() -> int:
    """How wide a trace may be, so that no line of a report is broken; WIDTH where there is no terminal."""
    terminal = shutil.get_terminal_size((WIDTH + INDENT, 24))
    return max(NARROW, min(WIDTH, terminal.columns - INDENT))


def render(outcome: Outcome, files: Sequence[Path], width: int = WIDTH) -> str:
    """The lines of `files` around each moment at which a thread was stopped, at most the last sixty.

    Empty where no thread was: then the order of the threads does not matter.
    """
    sources = _sources(files)
    rows = list(_rows(outcome, sources))
    kept = _near_stops(rows)[-LAST:]
    threads = list(dict.fromkeys(rows[at].thread for at in kept))
    return "\n".join(_lines(rows, kept, threads if len(threads) <= COLUMNS else [], sources, width))


def _sources(files: Sequence[Path]) -> Mapping[str, Sequence[str]]:
    paths = [path for file in files for path in (sorted(file.rglob("*.py")) if file.is_dir() else [file])]
    return {path.name: _source_lines(path) for path in paths}


def _source_lines(path: Path) -> Sequence[str]:
    """As Python reads them: in the encoding that the file declares."""
    with tokenize.open(path) as file:
        return file.readlines()


def _rows(outcome: Outcome, sources: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    """Each line once for as long as a thread stays on it."""
    last, stopped, stops = ("", "", 0), False, set(outcome.stops)
    for at, step in enumerate(outcome.steps):
        stopped = stopped or at in stops
        where = step.thread, step.file, step.line
        if step.file in sources and where != last:
            yield Row(*where, stopped)
            last, stopped = where, False


def _near_stops(rows: Sequence[Row]) -> list[int]:
    """The rows of both threads around each moment at which one was stopped, and at which it went on."""
    near: set[int] = set()
    for at, row in enumerate(rows):
        stopped = rows[at - 1].thread
        if at and row.stopped and row.thread != stopped:
            later = (after for after in range(at, len(rows)) if rows[after].thread == stopped)
            for centre in (at, next(later, at)):
                around = range(max(0, centre - NEAR), min(len(rows), centre + NEAR))
                near.update(one for one in around if rows[one].thread in (stopped, row.thread))
    return sorted(near)


def _lines(
    rows: Sequence[Row],
    kept: Sequence[int],
    threads: Sequence[str],
    sources: Mapping[str, Sequence[str]],
    width: int,
) -> Iterator[str]:
    width = width // len(threads) if threads else width - NAME
    if threads:
        yield "".join(thread.ljust(width) for thread in threads).rstrip()
    for before, at in zip([None, *kept], kept, strict=False):
        if before is not None and at > before + 1:
            yield " ..."
        row = rows[at]
        code = _cut(f"{row.line:>4}  {_source(row, sources)}", width)
        column = threads.index(row.thread) if threads else 0
        yield " " * (column * width) + code if threads else f"{row.thread[: NAME - 1]:<{NAME}}{code}"


def _source(row: Row, sources: Mapping[str, Sequence[str]]) -> str:
    lines = sources[row.file]
    code = lines[row.line - 1].strip() if 0 < row.line <= len(lines) else ""
    return code if len(sources) == 1 else f"{row.file}: {code}"


def _cut(text: str, width: int) -> str:
    return text if len(text) < width else f"{text[: width - 5]} ..."
