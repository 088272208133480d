"""The calculator as its users meet it: a real process, real Celery workers and a real Valkey, on free ports."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import urllib3
from tests.integration.service import eventually
from tests.ports import free_port

from primes.adapters.memory import sweep

FINAL = {"done", "failed", "cancelled"}


class Answer(NamedTuple):
    """One answer; `body` is the JSON in it, or else the text."""

    status: int
    body: Any


class Process:
    """One process that answers on a port of its own: the service, or a worker."""

    def __init__(self, module: str, folder: Path, redis_url: str, **settings: object) -> None:
        self.port = free_port()
        self.url, self._module, self._folder = f"http://127.0.0.1:{self.port}", module, folder
        self._pool = urllib3.PoolManager(maxsize=4, retries=False, timeout=30)
        self._environment = os.environ | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "REDIS_URL": redis_url,
            "PRIMES_KERNEL": "numpy",
            "LAB_DATA": str(folder),
            "LAB_WORKSPACE": str(folder),
            "PYTHONUNBUFFERED": "1",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self.start()

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        eventually(self._ready)

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"it ended: {(self._folder / 'log').read_text()[-3000:]}")
        try:
            return self.ask("GET", "/ready").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send JSON; bytes claim to be that already."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        got = self._pool.request(
            method, self.url + path, headers={"content-type": "application/json"}, body=data
        )
        is_json = "json" in got.headers.get("content-type", "")
        return Answer(got.status, json.loads(got.data) if is_json else got.data.decode())

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series now, of those that have these labels."""
        series = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", self.ask("GET", "/metrics").body, re.MULTILINE)
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(float(value) for found, value in series if all(one in found for one in wanted))

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill(self) -> None:
        """SIGKILL for the process and all that it started, as when a machine is gone."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pool.clear()

    def terminate(self) -> int:
        """SIGTERM, as an orchestrator stops it; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._pool.clear()
        return code

    def end(self) -> None:
        if self.process.poll() is None:
            self.kill()


class Service(Process):
    """The service of M2."""

    def create(self, **question: object) -> str:
        """Have a job accepted; its id."""
        answer = self.ask("POST", "/v1/jobs", question)
        assert answer.status == 202, answer.body
        return str(answer.body["id"])

    def look(self, job_id: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/v1/jobs/{job_id}")
        assert answer.status == 200, answer.body
        shown: dict[str, Any] = answer.body
        return shown

    def ended(self, job_id: str, within: float = 30.0) -> dict[str, Any]:
        """What became of a job, once it is final and remembered."""
        return eventually(lambda: (shown := self.look(job_id))["finished"] and shown, within)


type Start = Callable[..., Any]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A function that starts a `Service` or a worker; keywords are settings."""
    started: list[Process] = []

    def start(module: str, redis_url: str, **settings: object) -> Process:
        kind = Service if module == "primes" else Process
        started.append(kind(module, tmp_path_factory.mktemp("primes"), redis_url, **settings))
        return started[-1]

    yield start
    for process in reversed(started):
        process.end()
    sweep()  # as the next service would: who is killed cannot clean up


@pytest.fixture(scope="module")
def local(start: Start, start_redis: Callable[[], Any]) -> Service:
    """A service with two processes of its own, which the tests of a module share."""
    service: Service = start("primes", start_redis().url, primes_workers=2)
    return service


@pytest.fixture
def patience() -> Callable[..., Any]:
    """`eventually`."""
    return eventually
