"""Experiments: claims that can be run. What a challenge's `experiments` module uses is here.

A challenge's module `<module>.experiments` offers `EXPERIMENTS`, a sequence of `Experiment`. Each says in advance
what will be measured, and why; runs for at most a minute, in processes of its own; and is judged by what was
measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.experiments.laboratory import Laboratory

__all__ = ["REPETITIONS", "Experiment", "Finding", "Panel", "Verdict", "worst"]

REPETITIONS = 6
"""Of each measurement: the median is then between the lowest and the highest with 96.9 %."""


class Verdict(StrEnum):
    """`inconclusive`: what was measured fits the prediction and its opposite, or nothing was put to the test."""

    HOLDS = "holds"
    INCONCLUSIVE = "inconclusive"
    FAILS = "does not hold"

    @property
    def exit_code(self) -> int:
        return {Verdict.HOLDS: 0, Verdict.FAILS: 1, Verdict.INCONCLUSIVE: 2}[self]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a dashboard; `dashboard` is its name, as in `grafana/dashboards/<name>.json`."""

    dashboard: str
    title: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One number: predicted to be from `low` to `high`, by `formula`, and what each repetition measured."""

    what: str
    formula: str
    low: float
    high: float
    measured: Sequence[float]
    unit: str

    @property
    def confidence(self) -> float:
        """How likely the median is between the lowest and the highest of the repetitions: 1 - 2**(1 - n).

        Whatever the distribution: only if all n fall on the same side is it outside. (Le Boudec, Performance
        Evaluation of Computer and Communication Systems, 2010, theorem 2.1.)
        """
        return 1.0 - 2.0 ** (1 - len(self.measured))

    @property
    def verdict(self) -> Verdict:
        """Holds if the whole interval is as predicted, fails if it lies beside that; too few say nothing."""
        if len(self.measured) < REPETITIONS:
            return Verdict.INCONCLUSIVE
        lowest, highest = min(self.measured), max(self.measured)
        if highest < self.low or lowest > self.high:
            return Verdict.FAILS
        return Verdict.HOLDS if self.low <= lowest and highest <= self.high else Verdict.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Experiment:
    """A claim about a challenge. `prediction` is its formula, with where it comes from.

    `run` measures; it raises `lab.grader.Inconclusive` when what the claim is about did not happen. `live` are
    commands that let the same happen in the running lab, where `panel` shows it.
    """

    name: str
    claim: str
    prediction: str
    run: "Callable[[Laboratory], Sequence[Finding]]"
    panel: Panel
    live: Sequence[str]


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """What several findings come to: one that fails refutes the claim; none at all says nothing."""
    return max(verdicts, key=list(Verdict).index) if verdicts else Verdict.INCONCLUSIVE
