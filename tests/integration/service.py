"""A service as its users meet it: a real process on a port that was free, and somebody who waits for it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3
from tests.integration.forked import Forked
from tests.ports import free_port


def eventually[T](ask: Callable[[], T], within: float = 30.0) -> T:
    """The first true answer of `ask`; fails when it does not come."""
    deadline = time.monotonic() + within
    while not (answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within:g} s in vain; the last answer was {answer!r}")
        time.sleep(0.02)
    return answer


class Service:
    """`python -m MODULE`: one process at a time, on one port and folder; keywords are settings."""

    def __init__(self, module: str, folder: Path, **settings: object) -> None:
        self.folder, self.workspace = folder, folder / "workspace"
        self.workspace.mkdir(exist_ok=True)
        port = free_port()
        self.url, self._module = f"http://127.0.0.1:{port}", module
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)
        self._environment = os.environ | {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LAB_DATA": str(folder / "data"),
            "LAB_WORKSPACE": str(self.workspace),
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self.start()

    def start(self) -> None:
        """Start a process and wait until it is ready."""
        self.process = Forked(self._module, self._environment, self.folder / "log")
        eventually(self._ready, 60.0)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the service ended: {self.log()[-3000:]}")
        try:
            return self._pool.request("GET", f"{self.url}/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def kill(self) -> None:
        """SIGKILL, and nothing is left of the process when this returns."""
        self.process.kill()
        self.process.wait()
        self._pool.clear()

    def terminate(self) -> int:
        """SIGTERM, as an orchestrator stops a service; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._pool.clear()
        return code

    def log(self) -> str:
        return (self.folder / "log").read_text()
