"""What the learner's commands show: Rich on a terminal, plain text elsewhere."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from lab.grader.verdicts import CheckResult, Verdict
from lab.grader.view import MARKS
from lab.learner.hints import Hint
from lab.learner.solution import Source
from lab.learner.syllabus import Entry
from lab.learner.workspace import Begun
from lab.terminal import console

__all__ = [
    "Terminal",
    "busy",
    "print_begun",
    "print_brief",
    "print_faults",
    "print_hint",
    "print_solution",
]


def print_brief(text: str) -> None:
    """Print a Markdown page; elsewhere than on a terminal, as it was written."""
    shown, text = console(), text.rstrip()
    if shown.is_terminal:
        shown.print(Markdown(text, hyperlinks=False))
    else:
        print(text)


def print_begun(entry: Entry, begun: Begun) -> None:
    """Where the learner's file is, and what to do next."""
    shown = console()
    if begun.backup:
        shown.print(f"\nYour file so far is kept as {_short(begun.backup)}.", markup=False, soft_wrap=True)
    what = "is made from the starter" if begun.made else "was there already and stays as it is"
    shown.print(f"\n[bold]{escape(_short(begun.path))}[/] {what}. Open it, then:", soft_wrap=True)
    for line in (
        f"lab watch {entry.code}    judges it at every save",
        f"lab hint {entry.code}     one hint at a time",
    ):
        shown.print(f"  {line}", markup=False)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say on standard error that something takes a while; nothing where there is no terminal."""
    shown = Console(stderr=True, highlight=False)
    with shown.status(escape(what)) if shown.is_terminal else nullcontext():
        yield


def print_solution(sources: Sequence[Source]) -> None:
    """Print the files, with colours on a terminal, through its pager."""
    shown = console()
    if not shown.is_terminal:
        for source in sources:
            print(f"# {source.path}\n{source.text}")
        return
    with shown.capture() as capture:
        for source in sources:
            shown.rule(escape(source.path.name))
            shown.print(escape(str(source.path)), style="dim", soft_wrap=True)
            shown.print(Syntax(source.text, "python", background_color="default"))
    page(capture.get())


def page(text: str) -> None:
    """Through the pager, with colours; printed where there is none."""
    import os
    import pydoc

    os.environ.setdefault("LESS", "-FRX")
    pydoc.pager(text)


def print_hint(hint: Hint, shown: Console | None = None) -> None:
    """The requirement, and each level that is open."""
    shown = shown or console()
    shown.print(f"[bold]{hint.check}[/]  {escape(hint.requirement)}")
    for number, text in enumerate(hint.texts, 1):
        shown.print(Padding(Text(f"{number}. {text}"), (0, 0, 0, 2)))
    left = hint.levels - len(hint.texts)
    shown.print(f"  {left} more: ask again." if left else "  There is no further hint.", style="dim")


def print_faults(name: str, faults: Mapping[str, Mapping[str, Any]]) -> None:
    """Each fault with what it is now, in which unit, and how often it fired."""
    table = Table(box=None, pad_edge=False)
    table.add_column("fault", no_wrap=True)
    table.add_column("now", justify="right")
    table.add_column("unit", max_width=13)
    table.add_column("fired", justify="right")
    table.add_column("what goes wrong")
    for fault, told in faults.items():
        now, fired = (f"{told[key]:g}" if told[key] else "-" for key in ("magnitude", "fired"))
        style = "bold yellow" if told["magnitude"] else ""
        table.add_row(fault, now, told["unit"], fired, escape(str(told["description"])), style=style)
    console().print(table)
    print_in_force(name, faults)


def print_in_force(name: str, faults: Mapping[str, Mapping[str, Any]]) -> None:
    """The faults that are on, in a sentence."""
    on = [f"{fault}={told['magnitude']:g}" for fault, told in faults.items() if told["magnitude"]]
    said = f"On at {name}: {' '.join(on)}." if on else f"Nothing goes wrong on purpose at {name}."
    console().print(said, markup=False, soft_wrap=True)


class Terminal:
    """The screen of `lab watch`: each round begins on an empty one. Without a terminal, line after line."""

    def __init__(self, entry: Entry, path: Path) -> None:
        self.keyboard = False
        self._entry, self._path = entry, path
        self._console = console()
        self._told: dict[str, str] = {}
        self._judged = 0

    def begin(self, judged: int, unchanged: int) -> None:
        self._judged = judged
        self._head()
        if unchanged:
            self._console.print(f"  {unchanged} passed before and did not change.", style="dim")
        if judged:
            self._console.print(f"  Judging {judged} ...", style="dim")

    def result(self, result: CheckResult) -> None:
        colour, word = MARKS[result.verdict]
        line = Text.from_markup(f"[{colour}]{word:>7}[/]  [bold]{result.name}[/]  ")
        same = self._told.setdefault(result.detail, result.name) if result.detail else result.name
        line.append(result.requirement if same == result.name else f"the same as {same}")
        self._console.print(line, no_wrap=self._console.is_terminal, overflow="ellipsis")

    def over(self, results: list[CheckResult], unchanged: int, seconds: float) -> None:
        passed = unchanged + sum(result.verdict is Verdict.PASS for result in results)
        every = unchanged + self._judged
        colour = "green" if passed == every else "red"
        self._console.print(f"\n[{colour}]{passed} of {every} passed[/] in {seconds:.1f} s.")
        first = next((result for result in _worst_first(results) if result.verdict is not Verdict.PASS), None)
        if first:
            self._console.print(_why(first))
            self._console.print(f"\n  again: {first.replay}", markup=False, style="dim", soft_wrap=True)
        elif passed == every:
            self._console.print(f"Done. Compare: `lab solution {self._entry.code}`.", markup=False)
        self._foot()

    def broken(self, problem: str) -> None:
        self._head()
        self._console.print(f"\n{problem}", markup=False, style="red", soft_wrap=True)
        self._foot()

    def hint(self, hint: Hint) -> None:
        self._console.print()
        print_hint(hint, self._console)

    def say(self, text: str) -> None:
        self._console.print(text, markup=False)

    def _head(self) -> None:
        self._told.clear()
        if self._console.is_terminal:
            self._console.clear()
        title = f"[bold]{self._entry.code}[/] {escape(self._entry.challenge.title)}"
        self._console.print(f"{title}  [dim]{escape(_short(self._path))}  {time.strftime('%H:%M:%S')}[/]")

    def _foot(self) -> None:
        if self.keyboard:
            self._console.print("\n[bold]r[/] run all again   [bold]h[/] hint   [bold]q[/] quit")


def _worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    order = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)
    return sorted(results, key=lambda result: order.index(result.verdict))


def _why(result: CheckResult) -> RenderableType:
    colour, word = MARKS[result.verdict]
    parts: list[RenderableType] = [
        Text.from_markup(f"\n[{colour}]{word}[/]  [bold]{result.name}[/]"),
        Text(result.requirement),
        Padding(Text(result.detail), (1, 0, 0, 2)),
    ]
    if result.trace:
        parts.append(Padding(Text(result.trace, style="cyan"), (1, 0, 0, 2)))
    return Group(*parts)


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
