"""Judges an engine by all checks of its challenge, several at a time, each in a process of its own."""

import os
import shlex
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import Queue

from lab.challenges import Challenge
from lab.grader.catalogue import Check, checks_of
from lab.grader.engines import engine_source
from lab.grader.outcome import Budget
from lab.grader.process import Judge, Order, Reply
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
) -> Report:
    """Judge `engine`; `done` is called with each result as it comes, from any thread.

    Raises LabError for an unknown engine or check. `seconds` bound each check; for `effort` see `Budget`.
    """
    engine_source(challenge, engine, workspace)
    checks, began = checks_of(challenge, only), time.monotonic()

    waiting: Queue[Judge] = Queue()

    def judge(check: Check) -> CheckResult:
        child = waiting.get()
        try:
            reply = child.run(order(check))
        finally:
            waiting.put(child)
        result = _result(challenge, engine, check, reply)
        done(result)
        return result

    def order(check: Check) -> Order:
        return Order(
            challenge.code, engine, str(workspace.resolve()), check.node, list(seeds), seconds, effort
        )

    at_once = min(len(checks), os.cpu_count() or 2)
    with ExitStack() as stack:
        for _ in range(at_once):
            waiting.put(stack.enter_context(Judge()))
        results = list(stack.enter_context(ThreadPoolExecutor(at_once)).map(judge, checks))
    return Report(challenge.code, engine, time.monotonic() - began, results)


def _result(challenge: Challenge, engine: str, check: Check, reply: Reply) -> CheckResult:
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
