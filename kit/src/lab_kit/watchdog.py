"""An engine that blocks the event loop cannot be switched away by a request: a thread sees to it."""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import structlog

BLOCKED_SECONDS = 5.0
REASON = "LAB_ENGINE_REASON"
log = structlog.get_logger(__name__)


class Watchdog:
    """Calls `act(reason)` when the event loop has not run for `seconds` while `suspect()` is true.

    Made on the loop's thread. Code that keeps the interpreter's lock to itself blinds it, too.
    """

    def __init__(
        self, suspect: Callable[[], bool], act: Callable[[str], object], seconds: float = BLOCKED_SECONDS
    ) -> None:
        self._suspect, self._act, self._seconds = suspect, act, seconds
        self._loop_thread = threading.get_ident()
        self._beat = time.monotonic()
        self._over = threading.Event()

    async def run(self) -> None:
        """Beats until it is cancelled; watched from a daemon thread."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(self._seconds / 10)
        finally:
            self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(self._seconds / 5):
            silent = time.monotonic() - self._beat
            if silent >= self._seconds and self._suspect():
                self._act(self._reason(silent))
                return

    def _reason(self, silent: float) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        where = "".join(traceback.format_stack(frame, limit=3)) if frame else ""
        return f"the engine blocked the whole service for {silent:.0f} s; it was here:\n{where}"


def start_again(reason: str) -> NoReturn:
    """Replace this process by a new one of the same command, which runs the reference; nothing accepted is lost,
    for it is durable."""
    log.error("starting again with the reference", reason=reason)
    os.environ[REASON] = reason
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def reason_of_start() -> str:
    """Why an earlier life was replaced by this one; empty for an ordinary start."""
    return os.environ.pop(REASON, "")
