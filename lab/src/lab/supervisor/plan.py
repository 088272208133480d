"""What runs here: the services of a Compose file as local processes. Pure.

A container's view becomes the local one: published ports on loopback, URLs of other services, volumes as
folders under `.lab/`, `python` as the interpreter of this environment.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import LabError
from lab.compose import ComposeFile, Mount, Port, Service

__all__ = ["HOST", "LEFT_OUT", "Component", "make"]

HOST = "127.0.0.1"
LEFT_OUT = frozenset({"grafana"})
OPTIONAL = frozenset({"prometheus"})  # the lab runs without it, so nothing waits for it
BUILT_IN = frozenset({"redis", "prometheus"})  # started by launchers of our own, not by their commands
BASE = 8000
LAST_PORT = 65535
_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?P<user>[^/@\s]*@)?(?P<host>[\w-]+)(?::\d+)?(?=[/?#,\s]|$)"
)


@dataclass(frozen=True)
class Component:
    """One process of the lab; `external` is the address of one not ours to start. Grace in seconds.

    `variable` is the environment variable that sets its port.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    needs: tuple[str, ...]
    port: int | None
    mounts: Mapping[str, Path]
    grace: float
    external: str | None = None
    beside: tuple[int, ...] = ()
    variable: str = ""

    @property
    def ports(self) -> list[int]:
        """Every TCP port that it listens on: its own, and those that it puts `beside` it by itself."""
        return [] if self.port is None else [self.port, *(self.port + step for step in self.beside)]

    @property
    def address(self) -> str:
        """Where it listens, for people and for other commands; empty for a background worker."""
        if self.external or self.port is None:
            return _without_password(self.external or "")
        return f"{HOST}:{self.port}" if self.name == "redis" else f"http://{HOST}:{self.port}"


def make(file: ComposeFile, root: Path, environ: Mapping[str, str]) -> list[Component]:
    """Return the components, each after those it needs. `root` is the folder of the Compose file.

    Raises LabError for a port that is no port or given twice, and for a service without a command.
    """
    planner = _Planner(file, root, environ, _ports(file, environ))
    components = [planner.component(s) for s in file.services.values() if s.name not in LEFT_OUT]
    _refuse_impossible_ports(components)
    return components


@dataclass(frozen=True)
class _Planner:
    file: ComposeFile
    root: Path
    environ: Mapping[str, str]
    ports: Mapping[str, int]

    def component(self, service: Service) -> Component:
        external = self.environ.get("REDIS_URL") if service.name == "redis" else None
        if not service.command and service.name not in BUILT_IN:
            raise LabError(f"{self.file.source}: services.{service.name}.command: missing; say what to run.")
        mounts = {mount.target: self.folder(mount) for mount in service.mounts}
        return Component(
            name=service.name,
            command=tuple(sys.executable if part == "python" else part for part in service.command),
            environment=self.local_environment(service, mounts),
            needs=tuple(need for need in service.needs if need not in LEFT_OUT | OPTIONAL),
            port=None if external else self.ports.get(service.name),
            mounts=mounts,
            grace=service.grace,
            external=external or None,
            beside=service.beside,
            variable=service.port.variable if service.port else "",
        )

    def folder(self, mount: Mount) -> Path:
        return self.root / ".lab" / mount.source if mount.named else (self.root / mount.source).resolve()

    def local_environment(self, service: Service, mounts: Mapping[str, Path]) -> dict[str, str]:
        local = {
            name: _local_path(self.local_urls(service, name, value), mounts)
            for name, value in service.environment.items()
        }
        if "LAB_DATA" in local and local["LAB_DATA"] == service.environment["LAB_DATA"]:
            del local[
                "LAB_DATA"
            ]  # no volume there: the service's own local default, never a folder of the machine
        local.pop("PORT", None)
        port = self.ports.get(service.name)
        return local | {"HOST": HOST} | ({"PORT": str(port)} if port is not None else {})

    def local_urls(self, service: Service, name: str, value: str) -> str:
        def replace(match: re.Match[str]) -> str:
            host = match["host"]
            if host not in self.file.services:
                return match[0]
            if host not in self.ports:
                key = f"services.{service.name}.environment.{name}"
                raise LabError(
                    f"{self.file.source}: {key}: {host!r} publishes no port, so it has no address."
                )
            return f"{match['scheme']}{match['user'] or ''}{HOST}:{self.ports[host]}"

        if self.environ.get("REDIS_URL") and re.match(r"rediss?://([^/@]*@)?redis[:/]", value):
            return self.environ["REDIS_URL"]
        return _URL.sub(replace, value)


def _ports(file: ComposeFile, environ: Mapping[str, str]) -> dict[str, int]:
    base = _port_number("LAB_PORT_BASE", environ.get("LAB_PORT_BASE") or str(BASE))
    return {s.name: _port(s.port, base, environ) for s in file.services.values() if s.port is not None}


def _port(port: Port, base: int, environ: Mapping[str, str]) -> int:
    explicit = environ.get(port.variable)
    if explicit:
        return _port_number(port.variable, explicit.partition("-")[0])
    return _port_number("LAB_PORT_BASE", str(base - BASE + port.default))


def _port_number(variable: str, value: str) -> int:
    if value.isascii() and value.isdigit() and 0 < int(value) <= LAST_PORT:
        return int(value)
    raise LabError(
        f"{variable} leads to port {value!r}, which is not a number from 1 to {LAST_PORT}: set another."
    )


def _refuse_impossible_ports(components: list[Component]) -> None:
    owners: dict[int, str] = {}
    for name, port in ((c.name, port) for c in components for port in c.ports):
        if port > LAST_PORT:
            raise LabError(f"{name} would need port {port}: set LAB_PORT_BASE or its port variable lower.")
        first = owners.setdefault(port, name)
        if first != name:
            raise LabError(
                f"Port {port} is given to both {first} and {name}: set one of their port variables."
            )


def _local_path(value: str, mounts: Mapping[str, Path]) -> str:
    for target, folder in mounts.items():
        if value == target or value.startswith(target + "/"):
            return str(folder) + value[len(target) :].rstrip("/")
    return value


def _without_password(url: str) -> str:
    return re.sub(r"(?<=//)[^/@]*@", "", url)
