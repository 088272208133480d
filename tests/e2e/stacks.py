"""A running lab, in containers or as processes: started, ended, hurt and looked at from outside.

Both ways get ports of their own, so that a lab that runs here already is left alone.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import redis
import yaml
from web import NoAnswer, ask, eventually, get

ROOT = Path(__file__).parents[2]
BASE = int(os.environ.get("LAB_E2E_PORT_BASE", "28000"))  # where the lab's ports begin; 8000 is the default
PROJECT = "concurrency-lab-e2e"
READY = {"prometheus": "/-/ready", "grafana": "/api/health"}
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
CHALLENGES = [  # what runs a learner's engine, and can be asked for it
    name
    for name, one in COMPOSE.items()
    if "LAB_WORKSPACE" in one.get("environment", ()) and one.get("ports")
]


class Stack(ABC):
    """One lab. `ports` are those that its Compose file names, moved to BASE."""

    def __init__(self) -> None:
        text = (ROOT / "compose.yaml").read_text()
        found = re.findall(r"\$\{(\w+)_PORT:-(\d+)\}", text)
        self.ports = {name.lower().replace("_", "-"): int(port) - 8000 + BASE for name, port in found}
        self.compose = COMPOSE
        self.environ = {k: v for k, v in os.environ.items() if not k.endswith(("_PORT", "_URL"))}

    @abstractmethod
    def up(self) -> None:
        """Start it, and return when everything is healthy."""

    @abstractmethod
    def down(self, *, data: bool = False) -> None:
        """End it; with `data`, delete what it stored, too."""

    @abstractmethod
    def left(self, *, data: bool = False) -> list[str]:
        """What is there of it; after `down`, nothing is."""

    @abstractmethod
    def health(self) -> dict[str, bool]:
        """Each component, and whether it is healthy."""

    @abstractmethod
    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the process of a component; when that ends, it is started again."""

    @abstractmethod
    def memory(self) -> dict[str, float]:
        """What share of its limit each component uses."""

    @abstractmethod
    def listeners(self) -> set[str]:
        """The addresses that it listens on at this machine."""

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    @cached_property
    def redis(self) -> "redis.Redis[str]":
        return redis.Redis(
            port=self.ports["redis"], decode_responses=True, socket_timeout=2, socket_connect_timeout=2
        )

    def ready(self, name: str) -> bool:
        """Whether a component answers and says that it is ready."""
        try:
            if name == "redis":
                return bool(self.redis.ping())
            return ask("GET", self.url(name) + READY.get(name, "/ready"))[0] == 200
        except (NoAnswer, redis.RedisError):
            return False

    def started(self, name: str) -> float:
        """When the process of a service began, as it says itself."""
        found = re.search(
            r"^process_start_time_seconds (\S+)", get(self.url(name) + "/metrics"), re.MULTILINE
        )
        assert found
        return float(found[1])

    def wait_ready(self, *names: str) -> None:
        for name in names:
            eventually(lambda name=name: self.ready(name), 60)  # type: ignore[misc]  # a default


class Containers(Stack):
    """`docker compose up`, in a project of its own. COMPOSE_FILE is taken from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.environ |= {f"{name.upper().replace('-', '_')}_PORT": str(p) for name, p in self.ports.items()}
        self.environ["COMPOSE_PROJECT_NAME"] = PROJECT

    def up(self) -> None:
        self._compose("up", "--detach", "--wait", "--wait-timeout", "120")

    def down(self, *, data: bool = False) -> None:
        self._compose("down", *(["--volumes"] if data else []))

    def left(self, *, data: bool = False) -> list[str]:
        kinds = ["container", "network", *(["volume"] if data else [])]
        label = f"--filter=label=com.docker.compose.project={PROJECT}"
        found = [_run(["docker", k, "ls", "-q", *(["-a"] if k == "container" else []), label]) for k in kinds]
        return [line for lines in found for line in lines.split()]

    def health(self) -> dict[str, bool]:
        return {facts["Service"]: facts["Health"] == "healthy" for facts in self._containers()}

    def signal(self, name: str, number: signal.Signals) -> None:
        child = "$(cat /proc/1/task/1/children)"  # process 1 is the init that Docker puts in front
        send = ["exec", "-T", name, "sh", "-c", f"kill -{number.value} {child}"]
        self._compose(*send, codes=(0, 128 + signal.SIGKILL))  # the container may end before the shell does

    def memory(self) -> dict[str, float]:
        names = {facts["Name"]: facts["Service"] for facts in self._containers()}
        stats = _run(["docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemPerc}}", *names])
        used = dict(line.split() for line in stats.splitlines())
        return {names[name]: float(share.rstrip("%")) / 100 for name, share in used.items()}

    def listeners(self) -> set[str]:
        """As Docker says, and as the machine does: a proxy listens for each published port."""
        names = [facts["Name"] for facts in self._containers()]
        ports = _run(["docker", "inspect", "--format", "{{json .NetworkSettings.Ports}}", *names])
        published = [b for line in ports.splitlines() for bs in json.loads(line).values() for b in bs or ()]
        return {binding["HostIp"] for binding in published} | _listening_on(set(self.ports.values()))

    def _containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._compose("ps", "--format", "json").splitlines()]

    def _compose(self, *arguments: str, codes: Collection[int] = (0,)) -> str:
        return _run(["docker", "compose", "--progress", "quiet", *arguments], self.environ, codes)


class Processes(Stack):
    """`lab up`, from a copy of the Compose file in a folder of its own, where its data is then, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.environ["LAB_PORT_BASE"] = str(BASE)
        self.ports.pop("grafana", None)
        shutil.copy(ROOT / "compose.yaml", folder)
        shutil.copytree(ROOT / "docker/prometheus", folder / "docker/prometheus")
        (folder / "workspace").mkdir()

    def up(self) -> None:
        self._lab("up", "--detach")

    def down(self, *, data: bool = False) -> None:
        self._lab("down")
        if data:
            shutil.rmtree(self.folder / ".lab")

    def left(self, *, data: bool = False) -> list[str]:
        stored = [str(self.folder / ".lab")] if data and (self.folder / ".lab").exists() else []
        return stored + [str(process) for process in psutil.process_iter() if self._is_ours(process)]

    def health(self) -> dict[str, bool]:
        return {c["name"]: c["state"] in ("ready", "running") for c in self._components()}

    def signal(self, name: str, number: signal.Signals) -> None:
        os.kill(self._pids()[name], number)

    def memory(self) -> dict[str, float]:
        return {name: _resident(pid) / self._limit(name) for name, pid in self._pids().items()}

    def listeners(self) -> set[str]:
        ours = {process.pid for process in psutil.process_iter() if self._is_ours(process)}
        found = psutil.net_connections("inet")
        own = {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN and c.pid in ours}
        return own | _listening_on(set(self.ports.values()))

    def _components(self) -> list[dict[str, Any]]:
        components: list[dict[str, Any]] = json.loads(self._lab("status", "--json"))["components"]
        return components

    def _pids(self) -> dict[str, int]:
        return {c["name"]: c["pid"] for c in self._components() if c["pid"]}

    def _limit(self, name: str) -> int:
        found = re.search(r"(\d+)m", self.compose[name]["mem_limit"])
        assert found, f"{name} has no mem_limit in MiB"
        return int(found[1]) << 20

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and Path(process.cwd()).is_relative_to(self.folder)
        except psutil.Error:
            return False

    def _lab(self, *arguments: str) -> str:
        lab = str(Path(sys.executable).with_name("lab"))
        return _run([lab, *arguments, "--file", str(self.folder / "compose.yaml")], self.environ)


def _resident(pid: int) -> int:
    process = psutil.Process(pid)
    return sum(p.memory_info().rss for p in (process, *process.children(recursive=True)))


def _listening_on(ports: set[int]) -> set[str]:
    found = psutil.net_connections("inet")
    return {c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN and c.laddr.port in ports}


def _run(command: list[str], environ: Mapping[str, str] | None = None, codes: Collection[int] = (0,)) -> str:
    """What a command prints. A failure shows all that it said."""
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode in codes, (
        f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
    )
    return done.stdout
