"""The log pipeline as a process, and a Valkey for it, in shared memory: for the programs beside."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from measure import shared_memory
from redis import Redis
from redis.exceptions import RedisError
from stack import free_port

from lab.supervisor.redis import binary
from lab_kit.messages import Message

STREAM, GROUP, WITHIN = "lab:logs", "log-pipeline", 60.0


class Service:
    """One service process at a time, in one folder."""

    def __init__(self, folder: Path, redis: str) -> None:
        self._environment = os.environ | {
            "PORT": str(free_port()), "LOG_PIPELINE_SYSLOG_PORT": "0", "LAB_DATA": str(folder), "REDIS_URL": redis,
        }  # fmt: skip
        self._url, self.logs = f"http://127.0.0.1:{self._environment['PORT']}", folder / "logs"

    def start(self, **settings: object) -> None:
        """Start, or start again; returns when it is ready."""
        named = {name.upper(): str(value) for name, value in settings.items()}
        command, quiet = [sys.executable, "-m", "log_pipeline"], subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=self._environment | named, stdout=quiet, stderr=quiet)
        until(lambda: self.ask("/ready"), "the service was not ready")
        self.syslog = int(self.ask("/v1/inputs")["syslog_port"])

    def ask(self, path: str, lines: bytes | None = None) -> Any:
        """What the service answers, to `lines` if there are any; None for an error, or if it is not there."""
        request = urllib.request.Request(self._url + path, lines, {"content-type": "text/plain"})
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:
                return json.load(answer)
        except (OSError, ValueError, http.client.HTTPException):
            return None

    def look(self) -> dict[str, Any]:
        """The ledger; SystemExit if it does not add up. Empty if the service is not there."""
        ledger = (self.ask("/v1/stats") or {"ledger": {}})["ledger"]
        if ledger:
            dropped = sum(ledger["dropped"].values())
            if ledger["accepted"] != ledger["written"] + dropped + ledger["dead"] + ledger["in_flight"]:
                raise SystemExit(f"the ledger does not add up: {ledger}")
        return ledger  # type: ignore[no-any-return]

    def end(self, how: signal.Signals) -> float:
        """Seconds until the process was gone."""
        began = time.perf_counter()
        self.process.send_signal(how)
        self.process.wait(WITHIN)
        return time.perf_counter() - began

    def lines(self) -> list[bytes]:
        """The lines in the files, without one that has no end."""
        return [line for path in self.logs.glob("*.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]

    def numbers(self) -> list[int]:
        """The numbers of the records in the files."""
        return [json.loads(line)["n"] for line in self.lines()]


def until(ask: Callable[[], object], otherwise: str) -> None:
    """Returns when `ask` says so; SystemExit if it never does."""
    deadline = time.monotonic() + WITHIN
    while not ask():
        if time.monotonic() > deadline:
            raise SystemExit(f"{otherwise} within {WITHIN:g} s")
        time.sleep(0.02)


def lines_of(numbers: Sequence[int]) -> bytes:
    """Records that can be told apart: a tenth of them errors."""
    levels = ("error" if number % 10 == 0 else "info" for number in numbers)
    pairs = zip(levels, numbers, strict=True)
    return "".join(f'{{"ts": 1, "level": "{level}", "n": {number}}}\n' for level, number in pairs).encode()


def add(redis: "Redis[str]", numbers: Sequence[int], stream: str = STREAM) -> None:
    """Add one packed entry."""
    packed = Message("logs", {"service": "bench", "lines": lines_of(numbers).decode()})
    redis.xadd(stream, {"message": packed.encode()})


def settled(redis: "Redis[str]") -> bool:
    """Whether all entries are read and acknowledged."""
    try:
        [group] = redis.xinfo_groups(STREAM)
    except (RedisError, ValueError):
        return False
    return bool(group["pending"] == 0 and group["lag"] == 0)


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    """The URL of a server that keeps nothing."""
    port, quiet = free_port(), subprocess.DEVNULL
    with shared() as folder:
        command = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process, ending(process):
            url = f"redis://127.0.0.1:{port}/0"
            with Redis.from_url(url) as redis:
                until(lambda: answers(redis), "Valkey did not answer")
            yield url


@contextlib.contextmanager
def ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """The process ends with the block."""
    try:
        yield
    finally:
        process.kill()


def answers(redis: "Redis[bytes]") -> bool:
    """Whether the server is there."""
    with contextlib.suppress(RedisError):
        return bool(redis.ping())
    return False


def shared() -> "tempfile.TemporaryDirectory[str]":
    """A folder in shared memory, where there is such a thing."""
    return tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-")
