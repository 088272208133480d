"""One round of judging the learner's engine, in a process of its own, so that a save or a key can end it at once.

`python -m lab.learner.round CODE WORKSPACE CHECK...` is that process: it writes one line of JSON for each result.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from lab import LabError
from lab.grader.verdicts import CheckResult, Verdict

__all__ = ["Round", "command"]

WIDE = 116  # columns where there is no terminal to ask


def command(code: str, workspace: Path, names: Sequence[str]) -> list[str]:
    """What judges these checks of the learner's engine, in this order."""
    return [sys.executable, "-m", "lab.learner.round", code, str(workspace.resolve()), *names]


class Round:
    """Runs `command`, which writes results: `tell` gets each, `over` once at the end what went wrong, if anything.

    Both come from a thread of the round, and neither after `stop` returned. Its temporary files are below a folder
    that ends with it: who is killed tidies nothing up.
    """

    def __init__(
        self,
        command: Sequence[str],
        tell: Callable[[CheckResult], None],
        over: Callable[[LabError | None], None],
    ) -> None:
        self._tell, self._over = tell, over
        self._stopped = threading.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="lab-round-", ignore_cleanup_errors=True)
        columns = str(shutil.get_terminal_size((WIDE, 24)).columns)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
            env={**os.environ, "TMPDIR": self._folder.name, "COLUMNS": columns},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def stop(self) -> None:
        """End what runs, with all that it started, and wait until it has ended."""
        self._stopped.set()
        with suppress(psutil.NoSuchProcess):
            _kill(psutil.Process(self._process.pid))
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout
        problem = None
        with self._process.stdout as lines:
            for found in _documents(lines):
                problem = found.get("problem")
                if not problem and not self._stopped.is_set():
                    self._tell(_result(found))
        code = self._process.wait()
        self._folder.cleanup()
        if not self._stopped.is_set():
            self._over(_error(problem, code))


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One of each line, to the first that is none: who wrote it was ended meanwhile."""
    with suppress(ValueError):
        yield from map(json.loads, lines)


def _result(found: dict[str, object]) -> CheckResult:
    return CheckResult(**{**found, "verdict": Verdict(str(found["verdict"]))})  # type: ignore[arg-type]  # our own


def _error(problem: str | None, code: int) -> LabError | None:
    if problem is None and code:
        problem = f"The grader ended with code {code}; what it said is above."
    return LabError(problem) if problem else None


def _kill(process: psutil.Process) -> None:
    """Kill a process and all below it. Each is stopped before its children are listed, so none is missed."""
    with suppress(psutil.NoSuchProcess):
        process.suspend()
        for child in process.children():
            _kill(child)
        process.kill()


def main() -> None:
    """Judge what the arguments say."""
    from lab.challenges import find, installed
    from lab.grader.grade import grade

    code, workspace, *names = sys.argv[1:]
    writing = threading.Lock()

    def write(document: object) -> None:
        with writing:
            print(json.dumps(document), flush=True)

    try:
        challenge = find(code, installed())
        grade(challenge, "mine", Path(workspace), only=names, done=lambda result: write(asdict(result)))
    except LabError as error:
        write({"problem": str(error)})


if __name__ == "__main__":
    main()
