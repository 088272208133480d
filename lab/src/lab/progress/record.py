"""The document of a learner's progress: frozen, and checked against its types when it is read."""

from collections.abc import Mapping

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt

from lab.grader.verdicts import Verdict

__all__ = ["REMEMBERED", "VERSION", "Attempt", "ChallengeRecord", "CheckRecord", "Progress"]

VERSION = 1
REMEMBERED = 200
"""How many attempts of a challenge are kept: the last ones."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class CheckRecord(_Record):
    """The last verdict of one check, and the hash of what was judged."""

    verdict: Verdict
    content: str
    at: AwareDatetime


class Attempt(_Record):
    """One run of the grader: of `checks` that were judged, `passed` did."""

    at: AwareDatetime
    verdict: Verdict
    content: str
    passed: NonNegativeInt
    checks: NonNegativeInt
    seconds: NonNegativeFloat


class ChallengeRecord(_Record):
    """One challenge. `passed` and `solution` say when that happened first; `hints` how many levels were shown."""

    started: AwareDatetime | None = None
    passed: AwareDatetime | None = None
    solution: AwareDatetime | None = None
    hints: Mapping[str, NonNegativeInt] = Field(default_factory=dict)
    checks: Mapping[str, CheckRecord] = Field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()


class Progress(_Record):
    """Everything that is remembered of one learner, by the code of the challenge."""

    version: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    challenges: Mapping[str, ChallengeRecord] = Field(default_factory=dict)

    def of(self, code: str) -> ChallengeRecord:
        """What is remembered of one challenge; an empty record if nothing is."""
        return self.challenges.get(code, ChallengeRecord())

    def to_json(self) -> str:
        """The document as it is stored and exported."""
        return self.model_dump_json(indent=1) + "\n"
