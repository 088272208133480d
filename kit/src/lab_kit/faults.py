"""Faults of a service's own ports, switched on at run time with a magnitude."""

import difflib
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


class UnknownFault(ValueError):
    """A fault that this service does not have, or a magnitude out of its range."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What can go wrong, from magnitude 0 (off) to `maximum`, in `unit`."""

    name: str
    unit: str
    description: str
    maximum: float = 1.0


class Faults:
    """The magnitudes now in force. Reads are atomic; `set` changes all of them or, on bad input, none."""

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self._known = {fault.name: fault for fault in faults}
        self._magnitudes: Mapping[str, float] = {}
        self._random = random.Random(seed)
        self._fired: Counter[str] = Counter()
        self._counting = threading.Lock()

    def magnitude(self, name: str) -> float:
        """How strong `name` is now; 0 when it is off."""
        return self._magnitudes.get(name, 0.0)

    def fired(self, name: str) -> bool:
        """Count `name` as fired if it is on."""
        return self._count(name, self.magnitude(name) > 0)

    def drawn(self, name: str) -> bool:
        """Draw with probability `magnitude(name)`, and count if it fired."""
        return self._count(name, self._random.random() < self.magnitude(name))

    def set(self, magnitudes: Mapping[str, float]) -> None:
        """Replace all magnitudes. Raises `UnknownFault`, which names the nearest fault or the range."""
        for name, magnitude in magnitudes.items():
            self._check(name, magnitude)
        self._magnitudes = {name: value for name, value in magnitudes.items() if value}

    def describe(self) -> dict[str, dict[str, object]]:
        """Every fault with its unit, range, magnitude and how often it fired."""
        return {
            name: {"magnitude": self.magnitude(name), "unit": fault.unit, "maximum": fault.maximum,
                   "description": fault.description, "fired": self._fired[name]}
            for name, fault in self._known.items()
        }  # fmt: skip

    def _count(self, name: str, fired: bool) -> bool:
        if fired:
            with self._counting:
                self._fired[name] += 1
        return fired

    def _check(self, name: str, magnitude: float) -> None:
        if name not in self._known:
            near = difflib.get_close_matches(name, self._known, n=1, cutoff=0.4) or sorted(self._known)
            raise UnknownFault(f"no fault {name!r} here; did you mean {' or '.join(map(repr, near))}?")
        fault = self._known[name]
        if not 0 <= magnitude <= fault.maximum:
            allowed = f"0 to {fault.maximum:g} {fault.unit}"
            raise UnknownFault(f"{name} = {magnitude:g} is out of range: {allowed}")
