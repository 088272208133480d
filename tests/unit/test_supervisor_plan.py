"""How a container's view becomes the local one."""

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab import LabError
from lab.compose import read
from lab.supervisor.plan import Component, make
from lab.supervisor.ports import taken

ROOT = Path("/checkout")
FILE = """
services:
  redis: {command: [redis-server], ports: ["${REDIS_PORT:-8030}:6379"]}
  prometheus: {ports: ["${PROMETHEUS_PORT:-8040}:9090"]}
  grafana: {depends_on: [prometheus]}
  web:
    command: [python, -m, web]
    depends_on: [redis, prometheus, grafana]
    ports: ["${WEB_PORT:-8001}:8000"]
    volumes: ["web-data:/data", "./workspace:/workspace"]
    environment:
      HOST: 0.0.0.0
      PORT: "8000"
      REDIS_URL: redis://redis:6379/0
      BROKER: redis://user:secret@redis:6379/1
      SELF: http://web:8000/v1?q=http://redis
      OUTSIDE: https://example.org:8000/redis
      LAB_DATA: /data
      BELOW: /workspace/web.py
      BESIDE: /workspaces/web.py
  worker:
    command: [work]
    environment: {PORT: "8000", LAB_DATA: /data}
"""


def plan(environ: Mapping[str, str] | None = None, text: str = FILE) -> dict[str, Component]:
    return {c.name: c for c in make(read(text, environ or {}), ROOT, environ or {})}


def test_ports_and_host_are_local() -> None:
    web = plan()["web"]
    assert (web.port, web.address) == (8001, "http://127.0.0.1:8001")
    assert (web.environment["HOST"], web.environment["PORT"]) == ("127.0.0.1", "8001")


def test_the_base_moves_all_ports_but_those_set() -> None:
    moved = plan({"LAB_PORT_BASE": "9000", "WEB_PORT": "7777"})
    assert {name: c.port for name, c in moved.items()} == {
        "redis": 9030,
        "prometheus": 9040,
        "web": 7777,
        "worker": None,
    }


def test_urls_of_services_become_local_and_others_stay() -> None:
    environment = plan()["web"].environment
    assert environment["REDIS_URL"] == "redis://127.0.0.1:8030/0"
    assert environment["BROKER"] == "redis://user:secret@127.0.0.1:8030/1"
    assert environment["SELF"] == "http://127.0.0.1:8001/v1?q=http://127.0.0.1:8030"
    assert environment["OUTSIDE"] == "https://example.org:8000/redis"


def test_mounted_paths_become_local_and_others_stay() -> None:
    environment = plan()["web"].environment
    assert environment["LAB_DATA"] == "/checkout/.lab/web-data"
    assert environment["BELOW"] == "/checkout/workspace/web.py"
    assert environment["BESIDE"] == "/workspaces/web.py"


def test_a_worker_has_no_port_and_no_folder_of_the_machine() -> None:
    assert plan()["worker"].environment == {"HOST": "127.0.0.1"}
    assert plan()["worker"].address == ""


def test_python_is_this_one() -> None:
    assert plan()["web"].command == (sys.executable, "-m", "web")


def test_nothing_waits_for_what_may_be_absent() -> None:
    assert "grafana" not in plan()
    assert plan()["web"].needs == ("redis",)


def test_an_external_redis_replaces_ours() -> None:
    external = plan({"REDIS_URL": "rediss://:secret@far:6380/2"})
    assert external["redis"].external == "rediss://:secret@far:6380/2"
    assert external["redis"].port is None
    assert external["redis"].address == "rediss://far:6380/2"
    assert external["web"].environment["REDIS_URL"] == "rediss://:secret@far:6380/2"


@pytest.mark.parametrize("value", ["x", "0", "70000", "80 01"])
def test_a_port_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(LabError, match=f"WEB_PORT.*'{value}'"):
        plan({"WEB_PORT": value})
    with pytest.raises(LabError, match="LAB_PORT_BASE"):
        plan({"LAB_PORT_BASE": value})


def test_a_port_given_twice_is_refused() -> None:
    with pytest.raises(LabError, match="Port 8001 is given to both redis and web"):
        plan({"REDIS_PORT": "8001"})


TWO_PORTS = """
services:
  chat:
    command: [chat]
    ports: ["${CHAT_PORT:-8006}:8000", "${CHAT_WS_PORT:-8106}:8100", "${CHAT_WS_PORT:-8106}:8100/udp"]
  log: {command: [log], ports: ["${LOG_PORT:-8002}:8000", "${LOG_UDP_PORT:-8012}:8010/udp"]}
"""


def test_ports_that_a_service_puts_beside_its_own_are_known() -> None:
    found = plan({"CHAT_PORT": "9006"}, TWO_PORTS)
    assert found["chat"].ports == [9006, 9106]
    assert found["log"].ports == [8002], "of UDP, nobody asks"
    with pytest.raises(LabError, match="Port 8106 is given to both chat and log"):
        plan({"LOG_PORT": "8106"}, TWO_PORTS)


def test_a_port_beside_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match="chat would need port 65536: set LAB_PORT_BASE or its port variable"):
        plan({"CHAT_PORT": "65436"}, TWO_PORTS)


def test_a_port_beside_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        other = server.getsockname()[1]
        [told] = taken(plan({"CHAT_PORT": str(other - 100)}, TWO_PORTS).values())
    assert told.startswith(f"Port {other} (chat) is taken by ")
    assert told.endswith(": stop it or set CHAT_PORT, or LAB_PORT_BASE to move all ports.")


def test_a_missing_command_is_refused() -> None:
    with pytest.raises(LabError, match=r"services\.a\.command: missing"):
        plan(text="services: {a: {image: x}}")


def test_a_url_of_a_service_without_a_port_is_refused() -> None:
    with pytest.raises(LabError, match=r"services\.a\.environment\.U: 'b' publishes no port"):
        plan(text="services: {a: {command: x, environment: {U: 'http://b:8000'}}, b: {command: y}}")


def test_a_command_line_with_an_open_quote_is_refused() -> None:
    with pytest.raises(LabError, match=r"services\.a\.command: \"x 'y\" is no command line: No closing"):
        plan(text='services: {a: {command: "x \'y"}}')
