"""Where the service to load is, and what a person is told when it is not there."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from lab import LabError
from lab.challenges import Challenge
from lab.load.target import Addresses, require_load_test, require_ready
from lab.supervisor.state import ComponentState, Home, LabState

WORKER = Challenge("X1", "Work", "Threading", "some_worker")
COMPOSE = """
services:
  origin:
    command: [python, -m, lab.origin]
    ports: ["127.0.0.1:${ORIGIN_PORT:-8020}:8000"]
  some-worker:
    command: [python, -m, some_worker]
    ports: ["127.0.0.1:${WORKER_PORT:-8001}:8000"]
"""


@pytest.fixture
def compose(tmp_path: Path) -> Path:
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path / "compose.yaml"


def test_the_environment_decides(compose: Path) -> None:
    found = Addresses(compose, {"SOME_WORKER_URL": "http://127.0.0.1:7/", "LAB_PORT_BASE": "9000"})
    assert found.service(WORKER) == "http://127.0.0.1:7"
    assert found.of("origin", "LAB_ORIGIN_URL") == "http://127.0.0.1:9020"


def test_else_the_lab_that_runs(compose: Path) -> None:
    home = Home.beside(compose)
    us = psutil.Process()
    component = ComponentState("some-worker", address="http://127.0.0.1:18001")
    with home.lock():
        home.save(LabState("ready", us.pid, us.create_time(), components={"some-worker": component}))
        assert Addresses(compose, {}).service(WORKER) == "http://127.0.0.1:18001"
    assert Addresses(compose, {}).service(WORKER) == "http://127.0.0.1:8001"


def test_else_the_compose_file_says_where_it_would_be(compose: Path) -> None:
    assert Addresses(compose, {}).service(WORKER) == "http://127.0.0.1:8001"
    assert Addresses(compose, {"WORKER_PORT": "81"}).service(WORKER) == "http://127.0.0.1:81"


def test_without_any_of_them_a_sentence_says_what_to_set() -> None:
    with pytest.raises(LabError, match=r"^Where is some-worker\? Set SOME_WORKER_URL, or go to the folder"):
        Addresses(None, {}).service(WORKER)


def test_what_is_no_address_is_named() -> None:
    with pytest.raises(LabError, match="SOME_WORKER_URL is 'localhost:80', which is no address"):
        Addresses(None, {"SOME_WORKER_URL": "localhost:80"}).service(WORKER)


def test_a_challenge_without_a_load_test() -> None:
    with pytest.raises(LabError, match=r"^X2 has no load test: json/load\.py is missing"):
        require_load_test(Challenge("X2", "None", "Threading", "json"))


type Answer = Callable[[int, bytes], str]


@pytest.fixture
def answering() -> Iterator[Answer]:
    """A function that gives the address of a server which answers everything with this status and body."""
    servers: list[HTTPServer] = []

    def start(status: int, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/ready" else 200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_service_that_is_ready_is_accepted(answering: Answer) -> None:
    require_ready(WORKER, answering(200, b"{}"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b'{"detail": "redis does not answer"}', "redis does not answer"), (b"<html>", "it answered 503")],
)
def test_a_service_that_is_not_ready_says_why(answering: Answer, body: bytes, reason: str) -> None:
    url = answering(503, body)
    with pytest.raises(LabError, match=f"^some-worker at {url} is not ready: {reason}$"):
        require_ready(WORKER, url)


def test_a_server_of_another_kind_is_told() -> None:
    def greet(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.sendall(b"-ERR unknown command 'GET'\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(LabError) as told:
            require_ready(WORKER, url)
    assert str(told.value) == (
        f"What listens at {url} speaks no HTTP, so it is not some-worker: say where that is with SOME_WORKER_URL."
    )


def test_a_service_that_is_not_there(answering: Answer) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(LabError) as told:
            require_ready(WORKER, url)
    assert str(told.value) == (
        f"some-worker does not answer at {url} ({os.strerror(errno.ECONNREFUSED)}): start it with `lab up`, "
        "or say where it is with SOME_WORKER_URL."
    )
