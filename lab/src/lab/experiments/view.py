"""Shows experiments: what was predicted and why, what was measured, what follows."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from lab.challenges import Challenge
from lab.experiments import Experiment, Finding, Verdict
from lab.experiments.run import Result
from lab.terminal import console

__all__ = ["as_json", "print_list", "print_prediction", "print_result", "progress"]

PARTLY = "some of what was measured is as predicted, some is not; try again when the machine has less to do"
COLOURS = {Verdict.HOLDS: "green", Verdict.FAILS: "red", Verdict.INCONCLUSIVE: "yellow"}


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield what says on standard error how far it is; nothing where there is no terminal."""
    shown = Console(stderr=True, highlight=False)
    if not shown.is_terminal:
        yield lambda what: None
        return
    with shown.status("starting ...") as status:
        yield lambda what: status.update(escape(what))


def print_list(challenge: Challenge, experiments: Sequence[Experiment]) -> None:
    """The claims of a challenge, by name."""
    shown = console()
    width = max(len(experiment.name) for experiment in experiments)
    for experiment in experiments:
        shown.print(f"[bold]{experiment.name:<{width}}[/]  {escape(experiment.claim)}", soft_wrap=True)
    shown.print(f"\n`lab experiment {challenge.code} {experiments[0].name}` runs one.", style="dim")


def print_prediction(challenge: Challenge, experiment: Experiment) -> None:
    """What is claimed, and by which formula; before anything is measured."""
    shown = console()
    shown.print(f"[bold]{challenge.code} {experiment.name}[/]: {escape(experiment.claim)}\n")
    shown.print(Padding(f"Prediction: {escape(experiment.prediction)}", (0, 0, 1, 2), expand=False))


def print_result(result: Result, panel_url: str | None) -> None:
    """Each number beside its prediction, the verdict, and where to see the same in the running lab."""
    shown = console()
    for finding in result.findings:
        _print_finding(shown, finding)
    colour = COLOURS[result.verdict]
    unclear = PARTLY if result.verdict is Verdict.INCONCLUSIVE else ""
    reason = f": {escape(result.reason or unclear)}" if result.reason or unclear else ""
    shown.print(f"The claim: [{colour}]{result.verdict}[/]{reason} ({result.seconds:.0f} s).")
    if result.findings:
        shown.print(_about_intervals(result.findings[0]), style="dim")
    experiment, panel = result.experiment, result.experiment.panel
    where = panel_url or f"grafana/dashboards/{panel.dashboard}.json, with Grafana"
    shown.print(f'\nIn the running lab, look at the panel "{panel.title}" ({where}) with', markup=False)
    for command in experiment.live:
        shown.print(f"  {command}", markup=False, soft_wrap=True)


def _print_finding(shown: Console, finding: Finding) -> None:
    colour = COLOURS[finding.verdict]
    shown.print(f"  [bold]{escape(finding.what)}[/], {escape(finding.unit)}: [{colour}]{finding.verdict}[/]")
    table = Table.grid(padding=(0, 2))
    table.add_row("predicted", _span(finding.low, finding.high), escape(finding.formula))
    middle = f"median {number(median(finding.measured))} of {len(finding.measured)}"
    table.add_row("measured", _span(min(finding.measured), max(finding.measured)), middle)
    shown.print(Padding(table, (0, 0, 1, 4), expand=False))


def _about_intervals(finding: Finding) -> str:
    return (
        f"Measured is the lowest to the highest of {len(finding.measured)} repetitions: with "
        f"{finding.confidence:.1%} the median lies between them, whatever the distribution."
    )


def _span(low: float, high: float) -> str:
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def number(value: float) -> str:
    """A number for people: three digits that mean something."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.3g}"


def as_json(result: Result, panel_url: str | None) -> str:
    """The prediction, each measurement and the verdict as one JSON document."""
    experiment = result.experiment
    return json.dumps(
        {
            "challenge": result.challenge,
            "experiment": experiment.name,
            "claim": experiment.claim,
            "prediction": experiment.prediction,
            "verdict": result.verdict,
            "reason": result.reason,
            "seconds": round(result.seconds, 3),
            "findings": [_document(finding) for finding in result.findings],
            "panel": {**asdict(experiment.panel), "url": panel_url},
            "live": list(experiment.live),
        },
        indent=1,
    )


def _document(finding: Finding) -> dict[str, object]:
    interval = [min(finding.measured), max(finding.measured)]
    judged = {"median": median(finding.measured), "interval": interval, "confidence": finding.confidence}
    return {**asdict(finding), **judged, "verdict": finding.verdict}
