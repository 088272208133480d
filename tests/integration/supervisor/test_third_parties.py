"""Redis and Prometheus: started by the lab, brought by the user, or not to be had."""

import socket
from typing import TYPE_CHECKING

import pytest
import yaml
from redis import Redis
from tests.aof import settle

if TYPE_CHECKING:
    from tests.integration.supervisor.conftest import Lab

REDIS = """
services:
  redis:
    ports: ["127.0.0.1:${BASE_PORT:-8030}:6379"]
"""
PROMETHEUS = """
services:
  prometheus:
    command: ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.retention.time=7d"]
    ports: ["127.0.0.1:${BASE_PORT:-8040}:9090"]
    volumes: ["./docker:/etc/prometheus:ro", "prometheus:/prometheus"]
  user:
    command: [python, service.py]
    ports: ["127.0.0.1:${USER_PORT:-8002}:8000"]
    depends_on: [prometheus]
"""
CONFIG = "scrape_configs: [{job_name: user, dns_sd_configs: [{names: [user], type: A, port: 8000}]}]"
FAKE_PROMETHEUS = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$GOMEMLIMIT" "$@" >arguments
exec python -c "
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == '/-/ready' else 404)
        self.end_headers()
HTTPServer(('127.0.0.1', $BASE_PORT), Handler).serve_forever()
"
"""


def ask(port: int, *commands: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall("".join(f"{command}\r\n" for command in (*commands, "QUIT")).encode())
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_what_redis_was_told_survives_its_kill(lab: "Lab") -> None:
    lab.compose(REDIS)
    assert lab.run("up", "--detach")[0] == 0
    port = int(lab.environ["BASE_PORT"])
    assert b"+OK" in ask(port, "SET key kept")
    (process,) = [p for p in lab.processes() if p.pid == lab.component("redis")["pid"]]
    with Redis(port=port) as redis:
        settle(redis)
    process.kill()
    lab.eventually(
        lambda: lab.component("redis")["restarts"] == 1 and lab.component("redis")["state"] == "ready"
    )
    assert b"kept" in ask(port, "GET key")
    assert b"everysec" in ask(port, "CONFIG GET appendfsync")
    assert b"127.0.0.1" in ask(port, "CONFIG GET bind")


def test_a_redis_of_the_user_is_only_asked(lab: "Lab") -> None:
    lab.compose(REDIS)
    lab.run("up", "--detach")
    second = lab.sibling("second")
    second.compose(REDIS)
    second.environ["REDIS_URL"] = f"redis://127.0.0.1:{lab.environ['BASE_PORT']}/0"
    assert second.run("up", "--detach")[0] == 0
    assert second.component("redis")["pid"] is None
    assert second.run("status")[0] == 0
    assert second.run("down")[0] == 0
    assert b"+PONG" in ask(int(lab.environ["BASE_PORT"]), "PING")


def test_prometheus_gets_the_containers_configuration_with_local_targets(lab: "Lab") -> None:
    lab.compose(PROMETHEUS)
    config(lab)
    assert lab.run("up", "--detach")[0] == 0
    folder = lab.home.folder / "prometheus"
    assert (lab.folder / "arguments").read_text().split() == [
        "64MiB",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{lab.environ['BASE_PORT']}",
        "--storage.tsdb.retention.time=7d",
    ]
    (job,) = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    assert job == {"job_name": "user", "file_sd_configs": [{"files": [str(folder / "targets/user.json")]}]}
    targets = yaml.safe_load((folder / "targets/user.json").read_text())
    assert targets == [{"targets": [f"127.0.0.1:{lab.environ['USER_PORT']}"]}]


def config(lab: "Lab") -> None:
    (lab.folder / "docker").mkdir()
    (lab.folder / "docker/prometheus.yml").write_text(CONFIG)
    program = lab.folder / "fake-prometheus"
    program.write_text(FAKE_PROMETHEUS)
    program.chmod(0o755)
    lab.environ["PROMETHEUS"] = str(program)


def test_without_prometheus_the_lab_runs_and_says_how_to_get_it(lab: "Lab") -> None:
    lab.compose(PROMETHEUS)
    lab.environ["PATH"] = ""
    code, told = lab.run("up", "--detach")
    assert code == 0
    assert "install the package `prometheus`, or set PROMETHEUS=/path/to/prometheus." in told
    assert lab.component("prometheus")["state"] == "absent"
    assert lab.component("user")["state"] == "ready"
    assert lab.run("status")[0] == 0


@pytest.mark.parametrize("path", ["/nowhere/prometheus", "/bin/false"])
def test_a_prometheus_that_does_not_run_is_named(lab: "Lab", path: str) -> None:
    lab.compose(PROMETHEUS)
    lab.environ["PROMETHEUS"] = path
    code, told = lab.run("up", "--detach")
    assert code == 1
    assert f"PROMETHEUS={path} does not run" in told
    assert lab.processes() == []
