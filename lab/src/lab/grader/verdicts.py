"""What a check, and a whole run, comes to. The four verdicts are never merged."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

__all__ = ["CheckResult", "Report", "Verdict"]


class Verdict(StrEnum):
    """`inconclusive`: the grader could not see, or the fault never fired. `error`: the grader is at fault."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"

    @property
    def exit_code(self) -> int:
        return list(Verdict).index(self)


SEVERITY = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.ERROR, Verdict.FAIL)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """What a run comes to: a failure is certain whatever else happened; no verdict at all is an error."""
    return max(verdicts, key=SEVERITY.index) if verdicts else Verdict.ERROR


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: `detail` says what was observed, `trace` which thread did what, `replay` how to see it again."""

    name: str
    requirement: str
    verdict: Verdict
    detail: str = ""
    replay: str = ""
    trace: str = ""
    seed: int = 0
    schedules: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """One engine against the checks of one challenge."""

    challenge: str
    engine: str
    seconds: float
    checks: Sequence[CheckResult]

    @property
    def verdict(self) -> Verdict:
        return worst([check.verdict for check in self.checks])

    def as_dict(self) -> dict[str, Any]:
        """The JSON document of `lab check --json`."""
        return {
            "challenge": self.challenge,
            "engine": self.engine,
            "verdict": self.verdict,
            "seconds": round(self.seconds, 3),
            "checks": [asdict(check) for check in self.checks],
        }
