"""The log pipeline killed at a seeded moment, again and again: what Redis has is written and acknowledged.

Each run sends packed entries of many records while the service works, kills it with SIGKILL, starts it again, and
compares: every record that was sent is in the files, none that was not, nothing is left pending, and the ledger
added up at every look. Then: how long a SIGTERM takes with 100,000 records queued, and a million from Redis.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from log_pipeline_peers import connected, free_port, process
from measure import shared_memory
from redis import Redis
from redis.exceptions import RedisError

from lab.supervisor.redis import binary
from lab_kit.messages import Message

STREAM, GROUP, ENTRIES, PACKED, WITHIN = "lab:logs", "log-pipeline", 200, 100, 60.0
QUEUED, MANY = 100_000, 1_000_000


class Service:
    """One service process at a time, in one folder."""

    def __init__(self, folder: Path, redis: str) -> None:
        self._environment = os.environ | {
            "PORT": str(free_port()), "LOG_PIPELINE_SYSLOG_PORT": "0", "LAB_DATA": str(folder), "REDIS_URL": redis,
        }  # fmt: skip
        self._url, self.logs = f"http://127.0.0.1:{self._environment['PORT']}", folder / "logs"

    def start(self, **settings: object) -> None:
        named = {name.upper(): str(value) for name, value in settings.items()}
        command, quiet = [sys.executable, "-m", "log_pipeline"], subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=self._environment | named, stdout=quiet, stderr=quiet)
        until(lambda: self.ask("/ready"), "the service was not ready")

    def ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self._url + path, timeout=5) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def look(self) -> dict[str, Any]:
        """The ledger; SystemExit if it does not add up."""
        ledger = (self.ask("/v1/stats") or {"ledger": {}})["ledger"]
        if ledger:
            places = (
                ledger["written"] + sum(ledger["dropped"].values()) + ledger["dead"] + ledger["in_flight"]
            )
            if ledger["accepted"] != places:
                raise SystemExit(f"the ledger does not add up: {ledger}")
        return ledger  # type: ignore[no-any-return]

    def end(self, how: signal.Signals) -> float:
        """Seconds until the process was gone."""
        began = time.perf_counter()
        self.process.send_signal(how)
        self.process.wait(WITHIN)
        return time.perf_counter() - began

    def written(self) -> int:
        return sum(path.read_bytes().count(b"\n") for path in self.logs.glob("*.jsonl"))

    def numbers(self) -> list[int]:
        found = list[int]()
        for path in self.logs.glob("*.jsonl"):
            if path.name != "dead.jsonl" and path.exists():
                found += [json.loads(line)["n"] for line in path.read_bytes().splitlines()]
        return found


def until(ask: Callable[[], object], otherwise: str) -> None:
    deadline = time.monotonic() + WITHIN
    while not ask():
        if time.monotonic() > deadline:
            raise SystemExit(f"{otherwise} within {WITHIN:g} s")
        time.sleep(0.02)


def kill_once(seed: int, redis_url: str) -> int:
    """One run; returns how many records were written twice."""
    chance = random.Random(seed)
    with Redis.from_url(redis_url, decode_responses=True) as redis, shared() as folder:
        redis.flushall()
        service = Service(Path(folder), redis_url)
        service.start()
        at = chance.randrange(1, ENTRIES)
        for entry in range(ENTRIES):
            add(redis, range(entry * PACKED, (entry + 1) * PACKED))
            if entry % 20 == 0 and entry < at:
                service.look()
            if entry == at:
                time.sleep(chance.uniform(0, 0.04))
                service.end(signal.SIGKILL)
                service.start()
        until(
            lambda: service.look().get("in_flight") == 0 and settled(redis),
            f"seed {seed}: not all was acknowledged",
        )
        service.end(signal.SIGTERM)
        numbers = service.numbers()
        if set(numbers) != set(range(ENTRIES * PACKED)):
            raise SystemExit(f"seed {seed}: {ENTRIES * PACKED - len(set(numbers)):,} records are missing")
        return len(numbers) - ENTRIES * PACKED


def add(redis: "Redis[str]", numbers: range, stream: str = STREAM) -> None:
    lines = "".join(
        f'{{"ts": 1, "level": "{"error" if n % 10 == 0 else "info"}", "n": {n}}}\n' for n in numbers
    )
    redis.xadd(stream, {"message": Message("logs", {"lines": lines}).encode()})


def settled(redis: "Redis[str]") -> bool:
    try:
        [group] = redis.xinfo_groups(STREAM)
    except (RedisError, ValueError):
        return False
    return group["pending"] == 0 and group["lag"] == 0


def drain(redis_url: str) -> float:
    """Seconds that a SIGTERM takes with `QUEUED` records waiting, all of them written."""
    with shared() as folder:
        service = Service(Path(folder), redis_url)
        service.start(log_pipeline_linger=60, log_pipeline_batch_bytes=10**9)
        lines = "".join(f'{{"ts": 1, "level": "info", "n": {n}}}\n' for n in range(QUEUED)).encode()
        with socket.create_connection(("127.0.0.1", service.ask("/v1/inputs")["syslog_port"])) as sender:
            sender.sendall(lines)
            until(lambda: service.look().get("in_flight") == QUEUED, "the records were not queued")
        seconds = service.end(signal.SIGTERM)
        if sorted(service.numbers()) != list(range(QUEUED)):
            raise SystemExit("not all that was queued is written")
        return seconds


def consume(redis_url: str) -> float:
    """Seconds for what waits in Redis, from the first look at the stream to the last acknowledgement."""
    with Redis.from_url(redis_url, decode_responses=True) as redis, shared() as folder:
        redis.flushall()
        for start in range(0, MANY, 500):
            add(redis, range(start, start + 500), "waiting")
        redis.xgroup_create("waiting", GROUP, id="0")
        service = Service(Path(folder), redis_url)
        service.start(log_pipeline_rotate_bytes=10**12)
        began = time.perf_counter()
        redis.rename("waiting", STREAM)
        until(lambda: settled(redis), "not all was acknowledged")
        seconds = time.perf_counter() - began
        service.end(signal.SIGTERM)
        if service.written() != MANY:
            raise SystemExit(f"{service.written():,} records are written, not {MANY:,}")
        return seconds


@contextlib.contextmanager
def valkey() -> Iterator[str]:
    with shared() as folder:
        port = free_port()
        with process([binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]):
            connected(port).close()
            yield f"redis://127.0.0.1:{port}/0"


def shared() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="run although the machine is not idle")
    options = parser.parse_args()
    with valkey() as url:
        twice = [kill_once(seed, url) for seed in range(options.rounds)]
        drains = [drain(url) for _ in range(min(options.rounds, 5))]
        seconds = [consume(url) for _ in range(min(options.rounds, 5))]
    records = ENTRIES * PACKED
    print(f"{options.rounds} runs of {records:,} records with a kill: all written, the ledger exact in each")
    print(f"written twice: {median(twice):,.0f} in the median, at most {max(twice):,}")
    print(f"SIGTERM with {QUEUED:,} records queued: {median(drains):.2f} s, at most {max(drains):.2f} s")

    rate = MANY / median(seconds)
    print(f"{MANY:,} records from Redis, 500 in an entry, at least once: {rate:,.0f} a second")


if __name__ == "__main__":
    main()
