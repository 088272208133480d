"""What a comparison comes to: each number of each engine over the rounds, beside that of the reference. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lab.load.reports import FLOW, Entry, Summary

__all__ = ["METRICS", "Comparison", "Metric", "Sample", "Spread"]

MIB = 2**20
REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one engine: what the users met; most memory in bytes; switches, CPU seconds, retries in it."""

    engine: str
    round: int
    summary: Summary
    memory: float | None = None
    switches: float | None = None
    cpu: float | None = None
    retries: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: its value in a sample, given the entry of the sample that counts; None where there is none."""

    name: str
    unit: str
    value: Callable[[Sample, Entry], float | None]


def _each(total: float | None, entry: Entry) -> float | None:
    return None if total is None or not entry.requests else total / entry.requests


def _well(entry: Entry) -> float:
    """How many a second ended well: an engine that fails at once is not a fast one."""
    return entry.per_second * (1 - entry.failures / entry.requests) if entry.requests else 0.0


def _ms(seconds: float, entry: Entry) -> float | None:
    return 1000 * seconds if entry.requests else None


METRICS = (
    Metric("throughput", "a second", lambda sample, entry: _well(entry)),
    Metric("p50", "ms", lambda sample, entry: _ms(entry.p50, entry)),
    Metric("p95", "ms", lambda sample, entry: _ms(entry.p95, entry)),
    Metric("p99", "ms", lambda sample, entry: _ms(entry.p99, entry)),
    Metric("errors", "a round", lambda sample, entry: sum(error.count for error in sample.summary.errors)),
    Metric("retries", "a round", lambda sample, entry: sample.retries),
    Metric("memory", "MiB", lambda sample, entry: None if sample.memory is None else sample.memory / MIB),
    Metric("context switches", "each", lambda sample, entry: _each(sample.switches, entry)),
    Metric("CPU time", "ms each", lambda sample, entry: _each(sample.cpu and 1000 * sample.cpu, entry)),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds, the lowest and the highest; `ratio` of the median to that of the base, if any."""

    median: float
    low: float
    high: float
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The samples of all rounds. `left_out` says why of each engine that could not be measured."""

    samples: Sequence[Sample]
    left_out: Mapping[str, str]

    @property
    def engines(self) -> list[str]:
        return list(dict.fromkeys(sample.engine for sample in self.samples))

    @property
    def base(self) -> str:
        """The engine that the others are compared with: the reference, where it was measured."""
        return REFERENCE if REFERENCE in self.engines else next(iter(self.engines), "")

    @property
    def what(self) -> tuple[str, str]:
        """Method and name of what is counted: what users did most; a whole flow rather than a request."""
        counts: Counter[tuple[str, str]] = Counter()
        for sample in self.samples:
            for entry in sample.summary.entries:
                counts[entry.method, entry.name] += entry.requests
        flows = Counter({key: count for key, count in counts.items() if key[0] == FLOW})
        return max(flows or counts, key=(flows or counts).__getitem__, default=(FLOW, "nothing"))

    def table(self) -> dict[Metric, dict[str, Spread]]:
        """Each metric that the service told, by engine."""
        rows = {metric: self._row(metric) for metric in METRICS}
        return {metric: row for metric, row in rows.items() if row}

    def _row(self, metric: Metric) -> dict[str, Spread]:
        values = {engine: self._values(metric, engine) for engine in self.engines}
        base = median(values[self.base]) if values.get(self.base) else 0.0
        return {
            engine: Spread(median(found), min(found), max(found), median(found) / base if base else None)
            for engine, found in values.items()
            if found
        }

    def _values(self, metric: Metric, engine: str) -> list[float]:
        """One value for each round of `engine`; where nothing ended there are no times, and throughput is 0."""
        found = [
            metric.value(sample, self._entry(sample)) for sample in self.samples if sample.engine == engine
        ]
        return [value for value in found if value is not None]

    def _entry(self, sample: Sample) -> Entry:
        method, name = self.what
        none = Entry(method, name, 0, 0, 0.0, 0.0, 0.0, 0.0, 0)
        here = (one for one in sample.summary.entries if (one.method, one.name) == (method, name))
        return next(here, none)
