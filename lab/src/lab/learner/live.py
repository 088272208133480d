"""The running services: which engine they run, and what is made to go wrong."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from lab import LabError, WrongUsage
from lab.challenges import nearest
from lab.learner.syllabus import entries, named
from lab.load.commands import compose_file
from lab.load.target import Addresses

__all__ = ["ORIGIN", "Live", "Refused", "change", "magnitudes", "reach", "told"]

ORIGIN = "origin"
QUICK, DRAINING = 5.0, 120.0
"""Seconds to wait: for an answer from memory, and for an engine to let go of its jobs."""


class Refused(LabError):
    """The service understood and declines; the text is the service's own."""


@dataclass(frozen=True)
class Live:
    """One running service, at its address; `code` is its challenge's, empty for the origin."""

    name: str
    url: str
    code: str = ""

    def engine(self) -> dict[str, Any]:
        """Which engine runs, and why, if the service chose by itself."""
        return self._ask("GET", "/lab/engine")

    def use(self, engine: str) -> dict[str, Any]:
        """Switch, after draining; says how many unfinished jobs were handed over. Raises Refused, with the
        Python error of the new one; the old one goes on.
        """
        try:
            return self._ask("PUT", "/lab/engine", {"engine": engine}, DRAINING)
        except Refused as error:
            said = f"{self.name} cannot run {engine}, and goes on with the one before:"
            raise Refused(f"{said}\n{error}") from None

    def faults(self) -> dict[str, dict[str, Any]]:
        """Every fault with its magnitude now, unit, range, and how often it fired."""
        return self._ask("GET", "/lab/faults")

    def set_faults(self, wanted: Mapping[str, float], seed: int | None = None) -> dict[str, dict[str, Any]]:
        """Put exactly these in force. Raises Refused, and then nothing has changed."""
        body: dict[str, Any] = {"faults": dict(wanted)}
        return self._ask("PUT", "/lab/faults", body if seed is None else body | {"seed": seed})

    def _ask(self, method: str, path: str, body: object = None, seconds: float = QUICK) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise Refused(_detail(error)) from None
        except (OSError, HTTPException, ValueError, TypeError) as error:
            raise LabError(self._silent(error)) from None

    def _silent(self, error: Exception) -> str:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or reason
        return f"{self.name} does not answer at {self.url} ({said}): start it with `lab up`."


def reach(name: str, file: Path | None = None) -> Live:
    """Find the service of a challenge, or the origin. Raises WrongUsage, with the nearest, for another name."""
    addresses = Addresses(compose_file(file), os.environ)
    if name.casefold() == ORIGIN:
        return Live(ORIGIN, addresses.of(ORIGIN, "LAB_ORIGIN_URL"))
    try:
        challenge = named(name).challenge
    except WrongUsage:
        here = [entry.challenge for entry in entries() if entry.installed]
        names = [ORIGIN, *(known for one in here for known in (one.folder, one.module))]
        raise WrongUsage(f"There is no service {name!r}: {nearest(name, dict.fromkeys(names))}") from None
    return Live(challenge.folder, addresses.service(challenge), challenge.code)


def told(live: Live, answer: Mapping[str, Any]) -> str:
    """What the service said about its engine, in a sentence; the file that is meant by `mine`."""
    if "handed_over" not in answer:
        reason = f"\n{answer['reason'].rstrip()}" if answer.get("reason") else ""
        return f"{live.name} runs {answer['engine']}.{reason}"
    count = int(answer["handed_over"])
    jobs = {0: "there was no unfinished job", 1: "1 unfinished job was"}.get(
        count, f"{count} unfinished jobs were"
    )
    return f"{live.name} now runs {answer['engine']}; {jobs}{' handed over' if count else ' to hand over'}."


def change(
    live: Live, faults: Mapping[str, Mapping[str, Any]], wanted: Sequence[str], seed: int | None
) -> dict[str, dict[str, Any]]:
    """Put `wanted` in force (see `magnitudes`). Raises WrongUsage for what the service declines."""
    if seed is not None and live.name != ORIGIN:
        raise WrongUsage(f"--seed is for the origin: {live.name} has none.")
    try:
        return live.set_faults(magnitudes(wanted, faults), seed)
    except Refused as error:
        raise WrongUsage(str(error)) from None


def magnitudes(wanted: Sequence[str], faults: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """What is to be in force when `wanted` (`name=0.2`, `name`, `name=off`, `off`) changes what is.

    A name alone means the fault's usual magnitude. Raises WrongUsage for what cannot be meant.
    """
    now = {name: float(fault["magnitude"]) for name, fault in faults.items()}
    for word in wanted:
        name, equals, value = word.partition("=")
        if word == "off":
            now = {}
        elif name not in faults:
            raise WrongUsage(f"There is no fault {name!r}: {nearest(name, faults)}")
        else:
            now[name] = _magnitude(name, value if equals else None, faults[name])
    return {name: magnitude for name, magnitude in now.items() if magnitude}


def _magnitude(name: str, value: str | None, fault: Mapping[str, Any]) -> float:
    if value == "off":
        return 0.0
    if value is None and "default" in fault:
        return float(fault["default"])
    try:
        return float(value or "")
    except ValueError:
        limits = f"from {fault.get('minimum', 0):g} to {fault['maximum']:g} {fault['unit']}"
        raise WrongUsage(
            f"{name} needs a number {limits}: {name}={fault['maximum']:g}, or {name}=off"
        ) from None


def _detail(error: urllib.error.HTTPError) -> str:
    with error:
        body = error.read(100_000)
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {error.code}"
