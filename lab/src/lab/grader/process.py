"""Runs checks in child processes that cannot take the lab with them: bounded in time, memory and output."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lab.grader.verdicts import Verdict

__all__ = ["Judge", "Order", "Reply"]

GRACE, KEPT, START_SECONDS = 5.0, 20_000, 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be judged, with which seeds, in at most how many seconds; `effort`: see `Budget`."""

    challenge: str
    engine: str
    workspace: str
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


class Judge:
    """A child that forks a copy of itself for each order (see `child`). For one thread at a time."""

    def __init__(self) -> None:
        self._child = self._start()

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.grader.child"],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # `select` must see what has not been read yet
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _kill_group(self._child.pid)
        self._child.communicate()

    def run(self, order: Order) -> Reply:
        """Judge `order`. Returns within its seconds and a short grace, whatever the engine does."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lab-check-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            os.mkfifo(folder / "output")
            printed = _Tail(folder / "output")
            code = self._copy(order, folder)
            reply = _reply(order, folder, code)
            return Reply(**reply, output=printed.text(), seconds=time.monotonic() - began)

    def _copy(self, order: Order, folder: Path) -> int | None:
        """The exit code of the copy that did it, or None where it had to be killed."""
        if self._child.poll() is not None:  # an engine has killed its parent, too
            self._child = self._start()
        assert self._child.stdin
        self._child.stdin.write(json.dumps({**asdict(order), "folder": str(folder)}).encode() + b"\n")
        self._child.stdin.flush()
        copy = self._answer(START_SECONDS)
        if copy is None:
            raise RuntimeError("the grader's child process does not start; see what it printed above")
        code = self._answer(order.seconds + GRACE)
        _kill_group(copy)
        if code is None:
            self._answer(GRACE)
        return code

    def _answer(self, seconds: float) -> int | None:
        """The next number from the child, which writes whole lines; None where none came in time."""
        assert self._child.stdout
        ready, _, _ = select.select([self._child.stdout], [], [], seconds)
        line = self._child.stdout.readline() if ready else b""
        return int(line) if line else None


def _environment() -> dict[str, str]:
    """Hashes that are the same every time; no plugins but ours; nothing from the current folder."""
    fixed = {"PYTHONHASHSEED": "0", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONSAFEPATH": "1"}
    return {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"} | fixed


def _kill_group(leader: int) -> None:
    """End a process and whatever it started; its session is its own."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def _reply(order: Order, folder: Path, code: int | None) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "results").read_text(encoding="utf-8"))
        return {**found, "verdict": Verdict(found["verdict"])}
    except (OSError, ValueError):
        return {"verdict": Verdict.FAIL, "detail": _without_result(order, folder / "stacks", code)}


def _without_result(order: Order, stacks: Path, code: int | None) -> str:
    where = stacks.read_text(encoding="utf-8", errors="replace") if stacks.exists() else ""
    if code is None or where:
        return (
            f"no end after {order.seconds:.0f} s; where each thread was:\n{where or 'it could not be asked'}"
        )
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process ended with code {code} before the check did"


class _Tail:
    """Reads a named pipe to its end, on a thread of its own, and keeps what came last."""

    def __init__(self, pipe: Path) -> None:
        self._descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._kept, self._dropped = b"", 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        """What is kept, now that whoever wrote has ended."""
        self._over.set()
        self._thread.join()
        os.close(self._descriptor)
        note = f"[{self._dropped} bytes before this were dropped]\n" if self._dropped else ""
        return note + self._kept.decode(errors="replace")

    def _read(self) -> None:
        while True:
            over = self._over.is_set()
            ready, _, _ = select.select([self._descriptor], [], [], 0.02)
            piece = self._piece() if ready else b""
            if over and not piece:
                return
            together = self._kept + piece
            self._kept = together[-KEPT:]
            self._dropped += len(together) - len(self._kept)
            if ready and not piece:
                self._over.wait(0.02)  # nobody has opened it yet, or everybody has closed it

    def _piece(self) -> bytes:
        with suppress(BlockingIOError):
            return os.read(self._descriptor, 65536)
        return b""
