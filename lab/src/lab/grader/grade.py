"""Judges an engine by all checks of its challenge, several at a time, each in a process of its own."""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from lab.challenges import Challenge
from lab.grader.catalogue import Check, checks_of
from lab.grader.engines import engine_source
from lab.grader.outcome import Budget
from lab.grader.process import Judge, Order, Reply
from lab.grader.trace import room
from lab.grader.verdicts import CheckResult, Report, Verdict

__all__ = ["WALL_SECONDS", "grade"]

WALL_SECONDS, EFFORT = 60.0, Budget().effort


def grade(
    challenge: Challenge,
    engine: str,
    workspace: Path,
    *,
    only: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    seconds: float = WALL_SECONDS,
    effort: int = EFFORT,
    done: Callable[[CheckResult], None] = lambda result: None,
    judge: Judge | None = None,
) -> Report:
    """Judge `engine`; `done` is called with each result as it comes, from any thread.

    Raises LabError for an unknown engine or check. `seconds` bound each check with each seed; for `effort` see
    `Budget`. To start a `judge` takes a second: who has one of this challenge gives it along.
    """
    engine_source(challenge, engine, workspace)
    checks, began = checks_of(challenge, only), time.monotonic()
    place, width = str(workspace.resolve()), room()

    def judged(check: Check) -> CheckResult:
        order = Order(engine, place, check.node, list(seeds), seconds * len(seeds), effort, width)
        result = _result(challenge, engine, check, ready.run(order), seconds)
        done(result)
        return result

    at_once = min(len(checks), os.cpu_count() or 2)
    ours = Judge(challenge, at_once) if judge is None else nullcontext(judge)
    with ThreadPoolExecutor(at_once) as pool, ours as ready:  # interrupted, the judge ends before its orders
        results = list(pool.map(judged, checks))
    return Report(challenge.code, engine, time.monotonic() - began, results)


def _result(challenge: Challenge, engine: str, check: Check, reply: Reply, seconds: float) -> CheckResult:
    replay = [
        "lab",
        "check",
        challenge.code,
        "--engine",
        engine,
        "--only",
        check.name,
        "--seed",
        str(reply.seed),
        *(["--seconds", f"{seconds:g}"] if seconds != WALL_SECONDS else []),
    ]
    return CheckResult(
        name=check.name,
        requirement=check.requirement,
        verdict=reply.verdict,
        detail=_told(reply),
        replay="" if reply.verdict is Verdict.PASS else shlex.join(replay),
        trace=reply.trace,
        seed=reply.seed,
        schedules=reply.schedules,
        seconds=round(reply.seconds, 2),
    )


def _told(reply: Reply) -> str:
    printed = reply.output.strip()
    shown = reply.verdict in (Verdict.FAIL, Verdict.ERROR) and printed
    return f"{reply.detail}\nit printed:\n{printed[-2000:]}" if shown else reply.detail
