"""What a load process tells the command, a JSON line each: how it goes, and in the end what came of it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

__all__ = ["FLOW", "Entry", "Job", "Problem", "Progress", "Summary", "decode", "encode"]

FLOW = "flow"
"""The method of an entry that took several requests, as `Visitor.measure` makes them."""


@dataclass(frozen=True)
class Job:
    """One load: the package whose `load` module says what users do, against what, and how much of it."""

    module: str
    url: str
    origin: str
    shape: str
    users: int
    seconds: float
    seed: int
    html: str = ""


@dataclass(frozen=True)
class Progress:
    """One moment of a load: `elapsed` of `seconds`, users, failures so far.

    The rest is about the time since the last report: requests a second, flows a second by name, and the
    95th percentile of what each took, in seconds, for those that ended in it.
    """

    elapsed: float
    seconds: float
    users: int
    failures: int
    requests: float
    flows: dict[str, float]
    p95: dict[str, float]


@dataclass(frozen=True)
class Entry:
    """One kind of request, or a flow: counts, how many a second, quantiles in seconds, bytes received."""

    method: str
    name: str
    requests: int
    failures: int
    per_second: float
    p50: float
    p95: float
    p99: float
    bytes: int


@dataclass(frozen=True)
class Problem:
    """One kind of error, and how often it was met."""

    method: str
    name: str
    error: str
    count: int


@dataclass(frozen=True)
class Summary:
    """What came of a load, or of the part of it that was run, over `elapsed` seconds.

    `unfinished` counts the visits that were cut short at the end. They are in no quantile, so where there
    are any, the quantiles are lower bounds.
    """

    elapsed: float
    unfinished: int = 0
    entries: list[Entry] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether anything was asked for, and all of it went well."""
        return bool(self.entries) and not self.errors

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        entries = [Entry(**entry) for entry in values["entries"]]
        errors = [Problem(**problem) for problem in values["errors"]]
        return cls(values["elapsed"], values["unfinished"], entries, errors)


def encode(report: Progress | Summary) -> str:
    """One line of JSON."""
    return json.dumps({type(report).__name__.lower(): asdict(report)})


def decode(line: str) -> Progress | Summary:
    """The opposite of `encode`."""
    [(kind, values)] = json.loads(line).items()
    return Progress(**values) if kind == "progress" else Summary.from_values(values)
