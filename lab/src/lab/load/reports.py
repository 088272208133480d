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
    """One moment: seconds since the start; requests and flows a second since the last report."""

    elapsed: float
    users: int
    requests: float
    flows: dict[str, float]
    failures: int

    @property
    def text(self) -> str:
        """One line for people."""
        flows = [f"{name}: {rate:.1f}/s" for name, rate in self.flows.items()]
        parts = [f"{self.elapsed:.0f} s", f"users: {self.users}", f"requests: {self.requests:.0f}/s", *flows]
        return ", ".join([*parts, f"failures: {self.failures}"])


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
    """What came of a load, or of the part of it that was run, over `elapsed` seconds."""

    elapsed: float
    entries: list[Entry] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether anything was asked for, and all of it went well."""
        return bool(self.entries) and not self.errors

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        entries = [Entry(**entry) for entry in values["entries"]]
        return cls(values["elapsed"], entries, [Problem(**problem) for problem in values["errors"]])


def encode(report: Progress | Summary) -> str:
    """One line of JSON."""
    return json.dumps({type(report).__name__.lower(): asdict(report)})


def decode(line: str) -> Progress | Summary:
    """The opposite of `encode`."""
    [(kind, values)] = json.loads(line).items()
    return Progress(**values) if kind == "progress" else Summary.from_values(values)
