"""Runs checks in child processes that cannot take the lab with them: bounded in time, memory and output."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from lab.challenges import Challenge
from lab.grader.trace import WIDTH
from lab.grader.verdicts import Verdict

__all__ = ["Judge", "Order", "Reply"]

GRACE, KEPT, START_SECONDS = 5.0, 20_000, 60.0
NOT_STARTED = "the grader's process did not start: the challenge cannot be imported; why is said above"
NUMBER = 4  # bytes of each number that a child answers with


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be judged, with which seeds, in how many seconds for all of them; `effort`: see `Budget`.

    `width` is how many columns a trace may take.
    """

    engine: str
    workspace: str
    node: str
    seeds: Sequence[int]
    seconds: float
    effort: int
    width: int = WIDTH


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


class NotStarted(Exception):
    """The child ended before it took an order; why is on standard error."""


class Judge:
    """Judges a challenge: a child imports it once, and forks a copy of itself for each order (see `child`).

    `run` may be called from any thread; `at_once` orders are judged at a time, more wait.
    """

    def __init__(self, challenge: Challenge, at_once: int = 1) -> None:
        self._challenge = challenge
        self._children: list[subprocess.Popen[bytes]] = []
        self._free: SimpleQueue[socket.socket] = SimpleQueue()
        for line in self._start(at_once):
            self._free.put(line)

    def _start(self, at_once: int) -> list[socket.socket]:
        """Start a child; it takes orders from each of the lines to it."""
        pairs = [socket.socketpair() for _ in range(at_once)]
        theirs = [line.fileno() for _, line in pairs]
        child = subprocess.Popen(
            [sys.executable, "-m", "lab.grader.child", self._challenge.code, *map(str, theirs)],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=theirs,
            start_new_session=True,
        )
        self._children.append(child)
        for _, line in pairs:
            line.close()
        return [line for line, _ in pairs]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while not self._free.empty():
            self._free.get().close()
        for child in self._children:
            _kill_group(child.pid)
            child.wait()

    def run(self, order: Order) -> Reply:
        """Judge `order`. Returns within its seconds and a short grace, whatever the engine does."""
        line = self._line()
        began = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="lab-check-", ignore_cleanup_errors=True) as name:
                folder = Path(name)
                os.mkfifo(folder / "output")
                printed = _Tail(folder / "output")
                reply = _outcome(line, order, folder)
                return Reply(**reply, output=printed.text(), seconds=time.monotonic() - began)
        finally:
            self._free.put(line)

    def _line(self) -> socket.socket:
        line = self._free.get()
        gone, _, _ = select.select([line], [], [], 0)
        if not gone:  # it says nothing unasked
            return line
        line.close()  # an engine has killed its parent, too
        return self._start(1)[0]


def _outcome(line: socket.socket, order: Order, folder: Path) -> dict[str, Any]:
    try:
        return _reply(order, folder, _copy(line, order, folder))
    except NotStarted:
        return {"verdict": Verdict.ERROR, "detail": NOT_STARTED}


def _copy(line: socket.socket, order: Order, folder: Path) -> int | None:
    """The exit code of the copy that did it, or None where it had to be killed."""
    with suppress(BrokenPipeError):
        line.sendall(json.dumps({**asdict(order), "folder": str(folder)}).encode() + b"\n")
    copy = _answer(line, START_SECONDS)
    if copy is None:
        raise NotStarted
    code = _answer(line, order.seconds + GRACE)
    _kill_group(copy)
    if code is None:
        _answer(line, GRACE)
    return code


def _answer(line: socket.socket, seconds: float) -> int | None:
    """The next number from the child; None where none came in time."""
    ready, _, _ = select.select([line], [], [], seconds)
    number = b""
    with suppress(ConnectionResetError):
        number = line.recv(NUMBER) if ready else b""
    return int.from_bytes(number, "big", signed=True) if number else None


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
