"""A lab of tiny services, with every process that it starts."""

import json
import os
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.command import LAB
from tests.ports import free_port

from lab.supervisor.state import Home

SERVICE = """
import os, signal, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            print("the last words", flush=True)
            os._exit(3)
        self.send_response(200 if self.path == "/ready" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass

server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "parent" in sys.argv:
    subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("listening", flush=True)
server.serve_forever()
"""
TWO_SERVICES = """
services:
  user:
    command: [python, service.py, parent]
    ports: ["127.0.0.1:${USER_PORT:-8002}:8000"]
    depends_on: [base]
  base:
    command: [python, service.py]
    ports: ["127.0.0.1:${BASE_PORT:-8001}:8000"]
"""


class Lab:
    """A lab in a folder of its own, with every process that works in that folder."""

    two_services = TWO_SERVICES
    program = (LAB,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / ".lab")
        self.environ = {k: v for k, v in os.environ.items() if k not in ("REDIS_URL", "LAB_PORT_BASE")}
        self.started: list[subprocess.Popen[str]] = []
        self.siblings: list[Lab] = []
        (folder / "service.py").write_text(SERVICE)
        self.compose(TWO_SERVICES)

    def compose(self, text: str) -> None:
        """Write the Compose file, and give each of its port variables a port that the system chose."""
        (self.folder / "compose.yaml").write_text(textwrap.dedent(text))
        for variable in ("BASE_PORT", "USER_PORT"):
            self.environ[variable] = str(free_port())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line; its output goes to files `out` and `err`."""
        with (self.folder / "out").open("w") as out, (self.folder / "err").open("w") as err:
            process = subprocess.Popen(
                [*self.program, *arguments],
                cwd=self.folder,
                env=self.environ,
                stdout=out,
                stderr=err,
                text=True,
            )
        self.started.append(process)
        return process

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command line to its end; return exit code and all output."""
        code = self.start(*arguments).wait(30)
        return code, self.output()

    def up(self) -> subprocess.Popen[str]:
        """Start the lab in the foreground and wait until it is ready."""
        process = self.start("up")
        self.eventually(lambda: "The lab is ready" in self.output())
        return process

    def output(self) -> str:
        return (self.folder / "out").read_text() + (self.folder / "err").read_text()

    def component(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.home.state.read_text())["components"][name]
        return state

    def processes(self) -> list[psutil.Process]:
        """Return every living process whose folder this is: supervisor, guard, components, grandchildren."""
        return [p for p in psutil.process_iter() if self._is_here(p)]

    def _is_here(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(
                self.folder
            )
        except psutil.Error:
            return False

    @staticmethod
    def eventually(condition: Callable[[], object], within: float = 20) -> None:
        """Wait for a condition; fail when it does not come."""
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {within} s in vain")
            time.sleep(0.02)

    def sibling(self, name: str) -> "Lab":
        """Return a second lab, ended with this one."""
        folder = self.folder.with_name(f"{self.folder.name}-{name}")
        folder.mkdir()
        self.siblings.append(Lab(folder))
        return self.siblings[-1]

    def end(self) -> None:
        for sibling in self.siblings:
            sibling.end()
        for process in [*self.processes(), *self.started]:
            process.kill()
        for started in self.started:
            started.wait()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.end()
