"""Judges checks, each in a process of its own: `python -m lab.grader.child`. Started by `process`, never by hand.

It has everything imported and one thread, so a copy of it is a process that is ready at once. For each order, one
line of JSON, it forks; it answers with the copy's id, and when that has ended with its exit code. Results go to a
file, so that nothing an engine prints is taken for one.
"""

import faulthandler
import gc
import importlib
import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lab.challenges import find, installed
from lab.grader.engines import EngineInvalid, EngineSource, engine_source, require_contract
from lab.grader.outcome import Budget, said
from lab.grader.plugin import Plugin
from lab.grader.threads import can_search
from lab.grader.trace import render
from lab.grader.verdicts import Verdict

MEMORY, FILE_SIZE, OPEN_FILES = 4 << 30, 256 << 20, 512
WITHOUT = ("cacheprovider", "capture", "faulthandler", "logging", "terminal", "threadexception",
           "unraisableexception", "warnings")  # fmt: skip


def main() -> None:
    """Serve orders until standard input ends."""
    _prepare()
    orders, answers = sys.stdin, os.fdopen(os.dup(1), "w", buffering=1)
    for line in orders:
        copy = os.fork()
        if not copy:
            _serve(json.loads(line))
        print(copy, file=answers)
        _, status = os.waitpid(copy, 0)
        print(os.waitstatus_to_exitcode(status), file=answers)


def _prepare() -> None:
    """Import what every copy needs, but no engine."""
    if can_search():
        importlib.import_module("lab.grader.planted")
    for challenge in installed():
        importlib.import_module(f"{challenge.module}.contract")
    gc.freeze()


def _serve(order: Mapping[str, Any]) -> NoReturn:
    """Judge one order. Ends here: threads that an engine left behind keep nothing alive."""
    folder = Path(order["folder"])
    os.setsid()
    os.chdir(folder)
    _redirect(folder / "output")
    with (folder / "stacks").open("w") as stacks:
        _limit(order["seconds"])
        faulthandler.dump_traceback_later(order["seconds"], exit=True, file=stacks)
        try:
            result = _judge(order)
        except BaseException as error:  # a learner's file may raise anything; the parent has to hear of it
            result = {"verdict": Verdict.ERROR, "detail": "".join(traceback.format_exception(error))}
        (folder / "results").write_text(json.dumps(result), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)


def _redirect(output: Path) -> None:
    for target, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        opened = os.open(output if target else os.devnull, flags)
        os.dup2(opened, target)
        os.close(opened)


def _limit(seconds: float) -> None:
    _lower(resource.RLIMIT_AS, MEMORY)
    _lower(resource.RLIMIT_FSIZE, FILE_SIZE)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    _lower(resource.RLIMIT_CPU, int(seconds * 4) + 1)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(what: int, to: int) -> None:
    _, most = resource.getrlimit(what)
    resource.setrlimit(what, (to if most == resource.RLIM_INFINITY else min(to, most), most))


def _judge(order: Mapping[str, Any]) -> dict[str, Any]:
    challenge = find(order["challenge"], installed())
    source = engine_source(challenge, order["engine"], Path(order["workspace"]))
    refused = _unusable(source, challenge.module)
    if refused:
        return {"verdict": Verdict.FAIL, "detail": refused}
    return _run(source, order)


def _unusable(source: EngineSource, module: str) -> str:
    """Why the engine cannot even be loaded, as the Python error that it is."""
    try:
        require_contract(source.load(), module)
    except EngineInvalid as error:
        return str(error)
    except BaseException as error:
        own = [
            frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) in source.own
        ]
        where = "".join(traceback.format_list(own))
        return f"the engine cannot be imported\n{where}{said(error)}"
    return ""


def _run(source: EngineSource, order: Mapping[str, Any]) -> dict[str, Any]:
    plugin = Plugin(source, order["seeds"], Budget(seconds=order["seconds"] / 2, effort=order["effort"]))
    without = [option for name in WITHOUT for option in ("-p", f"no:{name}")]
    pytest.main([*without, "--import-mode=importlib", "-c", os.devnull, order["node"]], plugins=[plugin])
    judged = plugin.judged
    if judged is None:
        return {"verdict": Verdict.ERROR, "detail": f"pytest ran nothing of {order['node']}"}
    outcome = judged.outcome
    trace = render(outcome, source.own) if outcome and judged.verdict is Verdict.FAIL else ""
    seed = outcome.seed if outcome else order["seeds"][0]
    return {"verdict": judged.verdict, "detail": judged.detail, "trace": trace, "seed": seed,
            "schedules": judged.schedules}  # fmt: skip


if __name__ == "__main__":
    main()
