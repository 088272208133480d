"""What can be made to go wrong here: the table of faults, their magnitudes, and seeded draws.

Single-threaded: everything here belongs to the event loop's thread, and no method awaits.
"""

import difflib
import hashlib
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.origin.problems import BadInput

REMEMBERED = 10_000
"""How many (domain, path, key) have their requests counted; beyond, the longest unseen start anew."""


@dataclass(frozen=True)
class Fault:
    """One thing that can go wrong. Magnitude 0 is always allowed, and means off."""

    name: str
    unit: str
    description: str
    maximum: float
    default: float
    minimum: float = 0.0

    def parse(self, magnitude: object) -> float:
        """Return the magnitude as a number. Raises BadInput."""
        if magnitude == "":
            return self.default
        try:
            number = math.nan if isinstance(magnitude, bool) else float(magnitude)  # type: ignore[arg-type]  # tried
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if number == 0 or self.minimum <= number <= self.maximum:
            return number
        limits = f"0 (off), or from {self.minimum:g} to {self.maximum:g} {self.unit}"
        raise BadInput(f"{self.name} cannot be {magnitude!r}: give {limits}")


def _chance(name: str, description: str) -> Fault:
    return Fault(name, "probability", description, maximum=1, default=1)


_DAY = 86_400.0
_TIB = 2.0**40

FAULTS: Mapping[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("latency", "seconds", "wait before the answer: exponential, with this mean", _DAY, 0.1),
        Fault("latency-fixed", "seconds", "wait before the answer, always this long", _DAY, 0.1),
        Fault("bandwidth", "bytes/s", "send each body at most this fast", _TIB, 2.0**20),
        _chance("error-rate", "answer with an error: 503, or the one that status says"),
        Fault("status", "status code", "the error to answer; by itself, for each request", 599, 503, 400),
        Fault("fail-first", "requests", "the first so many for a path and ?key= get the error", 1e6, 1, 1),
        Fault("retry-after", "seconds", "errors carry Retry-After with so many whole seconds", _DAY, 1),
        _chance("retry-after-date", "Retry-After is a date instead of a number of seconds"),
        Fault(
            "drop-after", "fraction or bytes", "reset after this part of the body: < 1 fraction", _TIB, 0.5
        ),
        _chance("drop-rate", "how many of the responses drop-after hits; all unless set"),
        _chance("change-content", "the file changes, size kept, before this request if not the path's first"),
        Fault("change-after", "requests", "the file changes, size kept, after so many requests", 1e6, 1, 1),
        _chance("stale-etag", "a file that changed still has the validators from before"),
        Fault(
            "wrong-length",
            "bytes",
            "Content-Length is too large (or small) by this, then close",
            _TIB,
            1,
            -_TIB,
        ),
        Fault("wrong-range", "bytes", "send, and declare, a range shifted by this", _TIB, 1, -_TIB),
        _chance("ignore-range", "answer 200 with the whole file where a range was asked for"),
        _chance("force-encoding", "send gzip though nobody asked, all of it, with a weak ETag"),
        _chance("no-length", "send chunks, and no Content-Length"),
        _chance("close-length", "no Content-Length and no chunks: the body ends when the connection does"),
        Fault("redirect", "hops", "redirect so many times before the answer", 1e3, 1, 1),
        Fault("redirect-loop", "addresses", "redirect for ever, round so many addresses", 1e6, 1, 1),
        _chance("redirect-host", "redirect to another host: the one in ?to=, else elsewhere.lab.test"),
        Fault("slow-loris", "seconds", "send the body byte by byte, with this between two", _DAY, 1),
        _chance("stall", "send the headers, and then nothing, until the client leaves"),
        _chance("reject-if-range-etag", "an ETag in If-Range never matches; a date may"),
    )
}


@dataclass
class _Visits:
    """What is remembered of one (domain, path, key)."""

    requests: int = 0
    changes: int = 0


@dataclass(frozen=True)
class Plan:
    """The faults of one request. Draws follow from (seed, domain, path, key, how-manieth request) alone."""

    magnitudes: Mapping[str, float]
    identity: str
    number: int
    fire: Callable[[str], None]
    _visits: _Visits = field(repr=False)

    def magnitude(self, name: str) -> float:
        """Return how strong the fault is; 0 if it is off."""
        return self.magnitudes.get(name, 0.0)

    def draw(self, name: str) -> float:
        """Return the fault's number in [0, 1) for this request: the same at every call."""
        data = hashlib.blake2b(f"{self.identity}\n{self.number}\n{name}".encode(), digest_size=8).digest()
        return (int.from_bytes(data) >> 11) / 2**53

    def drawn(self, name: str) -> bool:
        """Whether a fault with a probability hits this request. Does not count it."""
        return self.draw(name) < self.magnitude(name)

    def hits(self, name: str) -> bool:
        """Whether a fault with a probability hits this request; counted if so."""
        hit = self.drawn(name)
        if hit:
            self.fire(name)
        return hit

    def error(self) -> int | None:
        """Return the status code to fail with, or None."""
        code = int(self.magnitude("status")) or 503
        if self.number <= self.magnitude("fail-first"):
            self.fire("fail-first")
        elif self.hits("error-rate"):
            pass
        elif not self.magnitude("status") or {"fail-first", "error-rate"} & self.magnitudes.keys():
            return None
        if self.magnitude("status"):
            self.fire("status")
        return code

    def delay(self) -> float:
        """Return the seconds to wait before the answer."""
        fixed, mean = self.magnitude("latency-fixed"), self.magnitude("latency")
        if fixed:
            self.fire("latency-fixed")
        if mean:
            self.fire("latency")
        return fixed - mean * math.log1p(-self.draw("latency"))

    def changes(self) -> int:
        """Return how many versions the file is ahead; call it once a request."""
        if self.number > 1 and self.hits("change-content"):
            self._visits.changes += 1
        after = self.magnitude("change-after")
        if after and self.number > after:
            self.fire("change-after")
            return self._visits.changes + 1
        return self._visits.changes


class Faults:
    """The magnitudes in force for all requests, and how often each fault fired."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._magnitudes: dict[str, float] = {}
        self._fired: Counter[str] = Counter()
        self._visits: OrderedDict[str, _Visits] = OrderedDict()

    def set(self, magnitudes: Mapping[str, object], seed: int | None = None) -> None:
        """Replace all magnitudes, and forget past requests, so that a seed replays. Raises BadInput,
        and then nothing has changed."""
        self._magnitudes = parse(magnitudes)
        self.seed = self.seed if seed is None else seed
        self._visits.clear()

    def plan(self, domain: str, path: str, key: str, overrides: Mapping[str, float]) -> Plan | None:
        """Return what shall go wrong with this request, which counts it; None if nothing shall."""
        if not self._magnitudes and not overrides:
            return None
        magnitudes = {name: value for name, value in {**self._magnitudes, **overrides}.items() if value}
        if not magnitudes:
            return None
        identity = f"{domain}\n{path}\n{key}"
        visits = self._visit(identity)
        return Plan(magnitudes, f"{self.seed}\n{identity}", visits.requests, self._fire, visits)

    def describe(self) -> dict[str, dict[str, str | float]]:
        """Return for each fault: magnitude, unit, minimum, maximum, default, description, fired."""
        return {name: self._describe(fault) for name, fault in FAULTS.items()}

    def _describe(self, fault: Fault) -> dict[str, str | float]:
        return {
            "magnitude": self._magnitudes.get(fault.name, 0.0),
            "unit": fault.unit,
            "minimum": fault.minimum,
            "maximum": fault.maximum,
            "default": fault.default,
            "description": fault.description,
            "fired": self._fired[fault.name],
        }

    def _visit(self, identity: str) -> _Visits:
        visits = self._visits.setdefault(identity, _Visits())
        self._visits.move_to_end(identity)
        if len(self._visits) > REMEMBERED:
            self._visits.popitem(last=False)
        visits.requests += 1
        return visits

    def _fire(self, name: str) -> None:
        self._fired[name] += 1


def parse(magnitudes: Mapping[str, object]) -> dict[str, float]:
    """Check names and magnitudes; the empty string stands for a fault's default. Raises BadInput."""
    return {name: named(name).parse(value) for name, value in magnitudes.items()}


def named(name: str) -> Fault:
    """Return the fault of this name. Raises BadInput, with the nearest name."""
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FAULTS)}"
        raise BadInput(f"no fault {name!r}: {hint}")
    return FAULTS[name]
