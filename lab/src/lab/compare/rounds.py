"""Measures engines in turns on the live service, and goes back to the one that ran before, whatever happens."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from lab import LabError
from lab.compare.facts import Facts, read
from lab.compare.result import Comparison, Sample
from lab.learner.live import Live, Refused
from lab.load.conduct import conduct
from lab.load.reports import Job, Progress, Summary

__all__ = ["compare", "order"]

WARM_UP = 3.0  # seconds, at most: connections, the origin's checksums, the interpreter's caches
BACK_SECONDS, POLL_SECONDS = 30.0, 0.1  # for a service that its engine has blocked, and which begins anew
type Show = Callable[[str, Progress], None]


class _Gone(LabError):
    """The engine that was to be measured no longer runs; the text is why."""


def compare(live: Live, job: Job, engines: Sequence[str], rounds: int, show: Show) -> Comparison:
    """Put the load of `job` on each engine, `rounds` times; each round has a seed of its own, the same for all.

    An engine that cannot start, or does not last, is left out from then on. Raises KeyboardInterrupt on Ctrl-C.
    """
    samples, left_out = list[Sample](), dict[str, str]()
    with _going_back(live):
        _load(live, replace(job, seconds=min(WARM_UP, job.seconds)), "warming up", show)
        for number in range(rounds):
            for engine in order([one for one in engines if one not in left_out], number):
                told = f"round {number + 1} of {rounds}, {engine}"
                try:
                    samples.append(
                        _sample(live, replace(job, seed=job.seed + number), engine, number, told, show)
                    )
                except (Refused, _Gone) as error:
                    left_out[engine] = str(error)
    return Comparison([sample for sample in samples if sample.engine not in left_out], left_out)


def order(engines: Sequence[str], number: int) -> list[str]:
    """Who goes first changes with every round, so that what drifts with time favours nobody."""
    first = number % max(1, len(engines))
    return [*engines[first:], *engines[:first]]


@contextmanager
def _going_back(live: Live) -> Iterator[None]:
    """The engine that runs now runs again afterwards. Raises LabError, naming the command, if that fails.

    A switch that we left, as by Ctrl-C, is under way: the service tells of the engine before until it is
    done, so that tells nothing, and ours has to come after it.
    """
    before, left = str(live.engine()["engine"]), True
    try:
        yield
        left = False
    finally:
        try:
            if _now(live)["engine"] != before or left:
                live.use(before)
        except (LabError, KeyboardInterrupt) as error:
            said = str(error) or "Interrupted."
            raise LabError(f"{said}\nBack to the engine before: lab use {live.name} {before}") from error


def _sample(live: Live, job: Job, engine: str, number: int, told: str, show: Show) -> Sample:
    live.use(engine)
    before = read(live.url, job.module, engine)
    most = [before.memory]

    def watch(what: str, now: Progress) -> None:
        with suppress(LabError):  # if it is gone for good, that shows below
            most.append(read(live.url, job.module, engine).memory)
        show(what, now)

    summary = _load(live, job, told, watch)
    _require(live, engine)
    after = read(live.url, job.module, engine)
    seen = [memory for memory in (*most, after.memory) if memory is not None]
    return Sample(engine, number, summary, max(seen, default=None), *_spent(before, after))


def _load(live: Live, job: Job, told: str, show: Show) -> Summary:
    summary, interrupted = conduct(job, lambda now: show(told, now))
    if interrupted:
        raise KeyboardInterrupt
    return summary


def _require(live: Live, engine: str) -> None:
    now = _now(live)
    if now["engine"] != engine:
        reason = str(now.get("reason") or "").strip()
        raise _Gone(f"{live.name} went over to {now['engine']} by itself. {reason}".strip())


def _now(live: Live) -> dict[str, Any]:
    """Which engine runs, as soon as the service answers. Raises LabError when it does not come back."""
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        try:
            return live.engine()
        except LabError:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_SECONDS)


def _spent(before: Facts, after: Facts) -> tuple[float | None, float | None, float | None]:
    pairs = (
        (before.switches, after.switches),
        (before.cpu, after.cpu),
        (before.retries, after.retries),
    )
    switches, cpu, retries = (_between(then, now) for then, now in pairs)
    return switches, cpu, retries


def _between(then: float | None, now: float | None) -> float | None:
    """What a counter rose by; unknown when it began anew, because the service did."""
    return None if then is None or now is None or now < then else now - then
