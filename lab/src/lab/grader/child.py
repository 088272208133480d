"""One check in a process of its own: `python -m lab.grader.child`. Started by `process`, never by hand.

Its order comes as JSON in the last argument, its result goes to a file, so that nothing an engine prints is taken
for a result. It ends with `os._exit`: threads that an engine left behind keep nothing alive.
"""

import faulthandler
import json
import os
import resource
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.challenges import find, installed
from lab.grader.engines import EngineInvalid, EngineSource, engine_source, require_contract
from lab.grader.outcome import Budget, said
from lab.grader.verdicts import Verdict

MEMORY, FILE_SIZE, OPEN_FILES = 4 << 30, 256 << 20, 512
QUIET = ("-p", "no:cacheprovider", "-p", "no:logging", "-p", "no:threadexception", "-p", "no:unraisableexception",
         "-p", "no:faulthandler", "-p", "no:warnings", "-p", "no:capture", "-p", "no:terminal",
         "--import-mode=importlib", "-c", os.devnull)  # fmt: skip


def main() -> None:
    order: dict[str, Any] = json.loads(sys.argv[1])
    with open(order["results"], "w", encoding="utf-8") as results, open(order["stacks"], "w") as stacks:
        _limit(order["seconds"])
        faulthandler.dump_traceback_later(order["seconds"], exit=True, file=stacks)
        try:
            result = _judge(order)
        except BaseException as error:  # a learner's file may raise anything; the parent has to hear of it
            result = {"verdict": Verdict.ERROR, "detail": "".join(traceback.format_exception(error))}
        results.write(json.dumps(result))
    os._exit(0)


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
    import pytest

    from lab.grader.plugin import Plugin
    from lab.grader.trace import render

    plugin = Plugin(source, order["seeds"], Budget(seconds=order["seconds"] / 2, effort=order["effort"]))
    pytest.main([*QUIET, order["node"]], plugins=[plugin])
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
