"""Judges checks, each in a process of its own: `python -m lab.grader.child CODE LINE...`. Started by `process`.

It imports what every check of the challenge needs, pytest and the files of checks too, and has one thread; so a
copy of it is a process that is ready at once. Each line is a socket with a process of its own: that forks for each
order, a line of JSON, and answers with the copy's id, and when that has ended with its exit code. Results go to a
file, so that nothing an engine prints is taken for one.
"""

import faulthandler
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import pytest

from lab.challenges import Challenge, find, home, installed
from lab.grader.engines import EngineInvalid, EngineSource, engine_source, require_contract
from lab.grader.outcome import Budget, readable, said
from lab.grader.plugin import Plugin
from lab.grader.process import NUMBER
from lab.grader.threads import can_search
from lab.grader.trace import render
from lab.grader.verdicts import Verdict

MEMORY, FILE_SIZE, OPEN_FILES = 4 << 30, 256 << 20, 512
LOAD_SECONDS = 10.0
WITHOUT = ("cacheprovider", "capture", "faulthandler", "logging", "terminal", "threadexception",
           "unraisableexception", "warnings")  # fmt: skip


def main() -> None:
    """Serve orders until every line is closed."""
    code, *lines = sys.argv[1:]
    challenge = find(code, installed())
    _prepare(challenge)
    for line in lines:
        if not os.fork():
            _serve(challenge, int(line), [int(other) for other in lines if other != line])
    for line in lines:
        os.close(int(line))
    for _ in lines:
        os.wait()


def _prepare(challenge: Challenge) -> None:
    """Import what every copy needs, but no engine."""
    if can_search():
        importlib.import_module("lab.grader.planted")
    importlib.import_module(f"{challenge.module}.contract")
    _pytest(challenge, "--collect-only", str(home(challenge) / "checks"))
    gc.freeze()


def _pytest(challenge: Challenge, *arguments: str, plugins: Sequence[object] = ()) -> None:
    """Run pytest on checks; it looks at no folder above theirs, which may be full."""
    without = [option for name in WITHOUT for option in ("-p", f"no:{name}")]
    here = [f"{option}={home(challenge) / 'checks'}" for option in ("--rootdir", "--confcutdir")]
    pytest.main([*without, "--import-mode=importlib", "-c", os.devnull, *here, *arguments], plugins=plugins)


def _serve(challenge: Challenge, descriptor: int, others: Sequence[int]) -> NoReturn:
    for other in others:
        os.close(other)
    line = socket.socket(fileno=descriptor)
    for order in line.makefile(encoding="utf-8"):
        copy = os.fork()
        if not copy:
            os.close(descriptor)  # the line ends with this process, whatever the copy is still doing
            _obey(challenge, json.loads(order))
        _tell(line, copy)
        _, status = os.waitpid(copy, 0)
        _tell(line, os.waitstatus_to_exitcode(status))
    os._exit(0)


def _tell(line: socket.socket, number: int) -> None:
    line.sendall(number.to_bytes(NUMBER, "big", signed=True))


def _obey(challenge: Challenge, order: Mapping[str, Any]) -> NoReturn:
    """Judge one order. Ends here: threads that an engine left behind keep nothing alive."""
    folder, copy = Path(order["folder"]), os.getpid()
    os.setsid()
    os.chdir(folder)
    _redirect(folder / "output")
    with (folder / "stacks").open("w") as stacks:
        _limit(order["seconds"])
        faulthandler.dump_traceback_later(order["seconds"], exit=True, file=stacks)
        try:
            result = _judge(challenge, order)
        except BaseException as error:  # a learner's file may raise anything; the parent has to hear of it
            result = {"verdict": Verdict.ERROR, "detail": "".join(traceback.format_exception(error))}
        result["detail"] = readable(result["detail"])
        if os.getpid() == copy:  # a process that the engine forked comes here, too
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


def _judge(challenge: Challenge, order: Mapping[str, Any]) -> dict[str, Any]:
    source = engine_source(challenge, order["engine"], Path(order["workspace"]))
    refused = _unusable(source, challenge.module, min(LOAD_SECONDS, order["seconds"] / 3))
    if refused:
        return {"verdict": Verdict.FAIL, "detail": refused}
    return _run(challenge, source, order)


def _unusable(source: EngineSource, module: str, seconds: float) -> str:
    """Why the engine cannot even be loaded, as the Python error that it is."""
    try:
        with _ending_after(seconds):
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


@contextmanager
def _ending_after(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the block is after so long; what no signal reaches, the end of the order does."""

    def late(number: int, frame: FrameType | None) -> NoReturn:
        raise TimeoutError(f"no end after {seconds:.0f} s")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _run(challenge: Challenge, source: EngineSource, order: Mapping[str, Any]) -> dict[str, Any]:
    budget = Budget(seconds=order["seconds"] / len(order["seeds"]) / 2, effort=order["effort"])
    plugin = Plugin(source, order["seeds"], budget)
    _pytest(challenge, order["node"], plugins=[plugin])
    judged = plugin.judged
    if judged is None:
        return {"verdict": Verdict.ERROR, "detail": f"pytest ran nothing of {order['node']}"}
    outcome = judged.outcome
    trace = render(outcome, source.own, order["width"]) if outcome and judged.verdict is Verdict.FAIL else ""
    seed = outcome.seed if outcome else order["seeds"][0]
    return {"verdict": judged.verdict, "detail": judged.detail, "trace": trace, "seed": seed,
            "schedules": judged.schedules}  # fmt: skip


if __name__ == "__main__":
    main()
