"""Runs one check in a child process that cannot take the lab with it: bounded in time, memory and output."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab.grader.verdicts import Verdict

__all__ = ["Order", "Reply", "run"]

GRACE, KEPT = 5.0, 20_000


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to judge, with which seeds, in at most how many seconds; `effort`: see `Budget`."""

    challenge: str
    engine: str
    workspace: Path
    node: str
    seeds: Sequence[int]
    seconds: float
    effort: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of it. `output` is the end of what the engine printed."""

    verdict: Verdict
    detail: str
    trace: str = ""
    seed: int = 0
    schedules: int = 0
    output: str = ""
    seconds: float = 0.0


def run(order: Order) -> Reply:
    """Judge `order`. Returns within its seconds and a short grace, whatever the engine does."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-check-", ignore_cleanup_errors=True) as folder:
        code, output = _child(order, Path(folder))
        found = _reply(order, Path(folder), code)
    return Reply(**found, output=output, seconds=time.monotonic() - began)


def _child(order: Order, folder: Path) -> tuple[int | None, str]:
    """Its exit code, or None when it had to be killed; and the end of what it printed."""
    message = {**_fields(order), "results": str(folder / "results"), "stacks": str(folder / "stacks")}
    child = subprocess.Popen(
        [sys.executable, "-m", "lab.grader.child", json.dumps(message)],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    printed = _Tail(child.stdout)
    try:
        code: int | None = child.wait(order.seconds + GRACE)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _kill_group(child)
    return code, printed.text()


def _fields(order: Order) -> dict[str, object]:
    return {
        "challenge": order.challenge,
        "engine": order.engine,
        "workspace": str(order.workspace.resolve()),
        "node": order.node,
        "seeds": list(order.seeds),
        "seconds": order.seconds,
        "effort": order.effort,
    }


def _environment() -> dict[str, str]:
    """Hashes that are the same every time; no plugins but ours; nothing from the current folder."""
    fixed = {"PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1"}
    return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | fixed


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started; its session is its own."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _reply(order: Order, folder: Path, code: int | None) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "results").read_text(encoding="utf-8"))
        return {**found, "verdict": Verdict(str(found["verdict"]))}
    except (OSError, ValueError):
        return _without_result(order, _read(folder / "stacks"), code)


def _without_result(order: Order, stacks: str, code: int | None) -> dict[str, Any]:
    if code is None or stacks:
        late = (
            f"no end after {order.seconds:.0f} s; where each thread was:\n{stacks or 'it could not be asked'}"
        )
        return {"verdict": Verdict.FAIL, "detail": late}
    if code < 0:
        return {"verdict": Verdict.FAIL, "detail": f"its process was ended by {signal.Signals(-code).name}"}
    return {"verdict": Verdict.FAIL, "detail": f"its process ended with code {code} before the check did"}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


class _Tail:
    """Reads a pipe to its end, on a thread of its own, and keeps what came last."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None
        self._pipe, self._kept, self._dropped = pipe, b"", 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What is kept. Waits a moment for the end: a process that got away may hold the pipe open."""
        self._thread.join(GRACE)
        note = f"[{self._dropped} bytes before this were dropped]\n" if self._dropped else ""
        return note + self._kept.decode(errors="replace")

    def _read(self) -> None:
        with self._pipe:
            while piece := self._pipe.read1(65536):  # type: ignore[attr-defined]  # a buffered pipe has it
                together = self._kept + piece
                self._kept = together[-KEPT:]
                self._dropped += len(together) - len(self._kept)
