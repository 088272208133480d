"""Services in processes of their own, without the 1.5 s of CPU that their imports cost each.

A server process has what all services import, and forks: the child then runs `python -m MODULE` as it is.
"""

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import TimeoutExpired

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["__main__", "lab_kit.log", "lab_kit.shell", "lab_kit.streams", "msgspec"])


class Forked:
    """`python -m MODULE` with `environment`, its output appended to `log`. To be used as a `subprocess.Popen`."""

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self._module = module
        self._process = _context.Process(target=_run, args=(module, dict(environment), str(log)), name=module)
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative for a signal. Raises TimeoutExpired."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutExpired(self._module, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens if it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def _run(module: str, environment: dict[str, str], log: str) -> None:
    os.environ.clear()
    os.environ |= environment
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.argv = [module]
    sys.orig_argv = [sys.executable, "-m", module]  # with which a service starts itself again
    runpy.run_module(module, run_name="__main__")
