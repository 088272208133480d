"""What `lab check` shows: the requirement, what was observed, where in the learner's file, how to replay."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lab import LabError
from lab.grader.verdicts import CheckResult, Report, Verdict

__all__ = ["as_json", "print_report", "progress", "save_traces"]

MARKS = {
    Verdict.PASS: ("green", "pass"),
    Verdict.FAIL: ("red", "FAIL"),
    Verdict.INCONCLUSIVE: ("yellow", "unclear"),
    Verdict.ERROR: ("magenta", "grader error"),
}
MEANINGS = {
    Verdict.PASS: "Every requirement is met, under every schedule that was tried.",
    Verdict.FAIL: "Not there yet.",
    Verdict.INCONCLUSIVE: "Nothing failed, but not everything could be judged.",
    Verdict.ERROR: "The grader itself failed: this is not your fault.",
}
INDENT = "      "


@contextmanager
def progress(checks: int, *, quiet: bool) -> Iterator[Callable[[CheckResult], None]]:
    """A line that counts the checks that are done; nothing where there is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, transient=True, disable=quiet or not Console().is_terminal) as shown:
        task = shown.add_task("searching schedules", total=checks)
        yield lambda result: shown.advance(task)


def as_json(report: Report) -> str:
    return json.dumps(report.as_dict(), indent=2)


def print_report(report: Report, console: Console | None = None) -> None:
    """One line a check; below it, for one that did not pass, why. The same failure is told once.

    At a terminal, lines are wrapped between words; elsewhere they stay whole.
    """
    console = console or Console(highlight=False, soft_wrap=not Console().is_terminal)
    told: dict[str, str] = {}
    for check in report.checks:
        _print_check(console, check, told)
    passed = sum(check.verdict is Verdict.PASS for check in report.checks)
    colour, _ = MARKS[report.verdict]
    console.print(f"\n[{colour}]{passed} of {len(report.checks)} passed.[/] {MEANINGS[report.verdict]}")
    console.print(f"{report.challenge}, engine {report.engine}, {report.seconds:.1f} s", style="dim")


def _print_check(console: Console, check: CheckResult, told: dict[str, str]) -> None:
    colour, word = MARKS[check.verdict]
    console.print(f"[{colour}]{word:>7}[/]  [bold]{check.name}[/]  {escape(check.requirement)}")
    if check.verdict is Verdict.PASS:
        return
    before = told.setdefault(check.detail, check.name)
    if before != check.name:
        console.print(f"{INDENT}the same as {before}", style="dim")
        return
    console.print(_indented(check.detail), markup=False)
    if check.trace:
        console.print(f"\n{_indented(check.trace)}", markup=False, style="cyan")
    console.print(
        f"{INDENT}again: {check.replay}\n", markup=False, style="dim", soft_wrap=True
    )  # to be copied


def save_traces(report: Report, folder: Path) -> list[Path]:
    """One text file for each check that did not pass, in `folder`; those of earlier runs are replaced.

    Raises LabError where they cannot be written.
    """
    try:
        return list(_saved(report, folder))
    except OSError as error:
        raise LabError(f"What failed is not kept in {folder}: {error.strerror}.") from None


def _saved(report: Report, folder: Path) -> Iterator[Path]:
    for check in report.checks:
        path = folder / f"{report.challenge}-{report.engine.replace(':', '-')}-{check.name}.txt"
        path.unlink(missing_ok=True)
        if check.verdict is not Verdict.PASS:
            folder.mkdir(parents=True, exist_ok=True)
            parts = (check.requirement, check.detail, check.trace, f"again: {check.replay}")
            path.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
            yield path


def _indented(text: str) -> str:
    return "\n".join(f"{INDENT}{line}".rstrip() for line in text.splitlines())
