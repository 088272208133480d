"""Runs an experiment, and judges the claim by what was measured."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.challenges import Challenge
from lab.experiments import Experiment, Finding, Verdict, worst
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive

__all__ = ["Result", "run"]


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment came to in `seconds`; `reason` says why nothing was put to the test, if so."""

    challenge: str
    experiment: Experiment
    findings: Sequence[Finding]
    seconds: float
    reason: str = ""

    @property
    def verdict(self) -> Verdict:
        return worst([finding.verdict for finding in self.findings])


def run(challenge: Challenge, experiment: Experiment, say: Callable[[str], None]) -> Result:
    """Measure, in processes that are gone when this returns. Raises LabError if they do not even start."""
    began, findings, reason = time.monotonic(), list[Finding](), ""
    with Laboratory(challenge.module, say) as laboratory:
        try:
            findings += experiment.run(laboratory)
        except Inconclusive as error:
            reason = str(error)
    return Result(challenge.code, experiment, findings, time.monotonic() - began, reason)
