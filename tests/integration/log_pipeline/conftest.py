"""The log pipeline as its senders meet it: a real process and a real Valkey, on free ports."""

import gzip
import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from tests.integration.forked import Forked
from tests.ports import free_port

WITHIN = 30.0


def eventually[T](ask: Callable[[], T]) -> T:
    """The first true answer of `ask`; fails when it does not come."""
    deadline = time.monotonic() + WITHIN
    while not (answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {WITHIN:g} s in vain; the last answer was {answer!r}")
        time.sleep(0.02)
    return answer


def line(number: int, level: str = "info", **more: object) -> bytes:
    """A record of JSON that can be told from others by its number."""
    return json.dumps({"ts": "2026-01-01T00:00:00Z", "level": level, "n": number, **more}).encode() + b"\n"


class Pipeline:
    """One service process at a time, with one folder and one port."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self.port = free_port(beside=10)  # that of syslog
        self.process: Forked | None = None

    @property
    def logs(self) -> Path:
        return self.folder / "data" / "logs"

    def start(self, **settings: object) -> None:
        """Start, or start again, and wait until it is ready."""
        environment = os.environ | {name.upper(): str(value) for name, value in settings.items()} | {
            "PORT": str(self.port), "REDIS_URL": self.redis_url, "LAB_DATA": str(self.folder / "data"),
            "LAB_WORKSPACE": str(self.folder / "workspace"),
        }  # fmt: skip
        self.process = Forked("log_pipeline", environment, self.folder / "out.log")
        eventually(self.ready)
        self.syslog = self.ask("GET", "/v1/inputs")[1]["syslog_port"]

    def ready(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            pytest.fail((self.folder / "out.log").read_text()[-3000:])
        with suppress(OSError):
            return self.ask("GET", "/ready")[0] == 200
        return False

    def end(self, *signals: signal.Signals) -> int:
        """Send the signals, and return how the process ended."""
        assert self.process
        for one in signals or (signal.SIGTERM,):
            self.process.send_signal(one)
        return self.process.wait(WITHIN)

    def ask(
        self, method: str, path: str, body: object = None, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """Send JSON, or bytes as they are; status and body."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"content-type": kind}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())

    def post(self, lines: bytes) -> dict[str, int]:
        status, answer = self.ask("POST", "/v1/logs", lines, "text/plain")
        assert status == 200, answer
        return answer  # type: ignore[no-any-return]

    def faults(self, **magnitudes: float) -> None:
        named = {name.replace("_", "-"): value for name, value in magnitudes.items()}
        assert self.ask("PUT", "/lab/faults", {"faults": named})[0] == 200

    def stats(self) -> dict[str, Any]:
        return self.ask("GET", "/v1/stats")[1]  # type: ignore[no-any-return]

    def ledger(self) -> dict[str, Any]:
        """The ledger, which has to add up whenever anybody looks."""
        ledger: dict[str, Any] = self.stats()["ledger"]
        places = ledger["written"] + sum(ledger["dropped"].values()) + ledger["dead"] + ledger["in_flight"]
        assert ledger["accepted"] == places, ledger
        return ledger

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series now."""
        rows = [row for row in self.ask("GET", "/metrics")[1].splitlines() if row.startswith(name)]
        chosen = [row for row in rows if all(f'{key}="{value}"' in row for key, value in labels.items())]
        return sum(float(row.rsplit(" ", 1)[1]) for row in chosen)

    def tcp(self, data: bytes) -> None:
        with socket.create_connection(("127.0.0.1", self.syslog)) as connection:
            connection.sendall(data)

    def udp(self, *datagrams: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for datagram in datagrams:
                sender.sendto(datagram, ("127.0.0.1", self.syslog))

    def written(self, kind: str = "*") -> list[dict[str, Any]]:
        """The records in the files, full and packed ones included, in the order of each file."""
        records = list[dict[str, Any]]()
        for path in sorted(self.logs.glob(f"{kind}*.jsonl*")):
            if path.name.startswith("dead") or path.suffix == ".part":
                continue
            with suppress(FileNotFoundError):  # packed meanwhile
                data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                records += map(json.loads, data.splitlines())
        return records

    def numbers(self) -> list[int]:
        """The numbers of the records that are written, sorted."""
        return sorted(int(record["n"]) for record in self.written() if "n" in record)

    def holds(self, count: int) -> list[int]:
        """Wait until so many numbered records are written; they are those from 0 on."""
        eventually(lambda: len(self.numbers()) >= count)
        assert self.numbers() == list(range(count))
        return self.numbers()


@pytest.fixture
def pipeline(tmp_path: Path, fresh_redis: str) -> Iterator[Pipeline]:
    """A service that is not started yet."""
    made = Pipeline(tmp_path, fresh_redis)
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


@pytest.fixture
def service(pipeline: Pipeline) -> Pipeline:
    """A service with its defaults, ready."""
    pipeline.start()
    return pipeline


@pytest.fixture
def redis(fresh_redis: str) -> Iterator[Redis]:
    with Redis.from_url(fresh_redis, decode_responses=True) as client:
        yield client


@pytest.fixture
def patience() -> Callable[..., Any]:
    return eventually


@pytest.fixture
def record() -> Callable[..., bytes]:
    return line


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()
