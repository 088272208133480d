"""Reads what the lab needs from a Compose file, and nothing more.

Pure: text and a mapping go in, frozen values come out. The Compose file is the only list of services, so
what Compose itself would accept but is not used here is refused with a sentence, never guessed at. Source
of the meaning of each key: the Compose Specification (https://compose-spec.io).
"""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from lab import LabError

__all__ = ["ComposeError", "ComposeFile", "Mount", "Port", "Service", "read", "start_order"]

DEFAULT_GRACE = 10.0  # the Compose Specification's stop_grace_period
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+):-(?P<default>[^{}$]*)\}|(?P<other>.?))")
_PORT = re.compile(
    r"(?:127\.0\.0\.1:)?\$\{(?P<variable>\w+):-(?P<default>\d+)(?:-\d+)?\}:\d+(?:-\d+)?(?:/(?:tcp|udp))?"
)
_DURATION = re.compile(r"(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m(?!s))?(?:(?P<s>\d+(?:\.\d+)?)s)?(?:(?P<ms>\d+)ms)?")


class ComposeError(LabError):
    """The Compose file asks for something that the lab does not understand."""


@dataclass(frozen=True)
class Port:
    """A published port: the variable that sets it, and its default (of a range, the first)."""

    variable: str
    default: int
    tcp: bool = True


@dataclass(frozen=True)
class Mount:
    """A volume of a service; `source` is a named volume, or a path relative to the file."""

    source: str
    target: str

    @property
    def named(self) -> bool:
        return not self.source.startswith((".", "/", "~"))


@dataclass(frozen=True)
class Service:
    """One service. `command` is empty when the file leaves it to the image; `grace` is in seconds.

    Of several TCP ports, `port` is the first; `beside` says how far from it the service puts the others.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    needs: tuple[str, ...]
    port: Port | None
    beside: tuple[int, ...]
    mounts: tuple[Mount, ...]
    profiles: tuple[str, ...]
    grace: float


@dataclass(frozen=True)
class ComposeFile:
    """All services, each after those that it needs."""

    source: str
    services: Mapping[str, Service]


def read(text: str, environ: Mapping[str, str], source: str = "compose.yaml") -> ComposeFile:
    """Return the services of a Compose file, in start order, with `environ` interpolated.

    Raises ComposeError, naming the file and the key.
    """
    reader = _Reader(environ, source)
    services = {name: reader.service(name, body) for name, body in reader.bodies(text).items()}
    return ComposeFile(source, {name: services[name] for name in start_order(services.values(), source)})


def start_order(services: Iterable[Service], source: str) -> list[str]:
    """Return the names so that each comes after those it needs; otherwise in the order of the file."""
    needs = {service.name: service.needs for service in services}
    for name, wanted in needs.items():
        for missing in (need for need in wanted if need not in needs):
            raise ComposeError(f"{source}: services.{name}.depends_on: there is no service {missing!r}.")
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ComposeError(f"{source}: services: depends_on goes in a circle: {circle}.") from None


@dataclass(frozen=True)
class _Reader:
    environ: Mapping[str, str]
    source: str

    def fail(self, key: str, problem: str) -> ComposeError:
        return ComposeError(f"{self.source}: {key}: {problem}")

    def bodies(self, text: str) -> dict[str, dict[str, Any]]:
        try:
            document = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as error:
            raise ComposeError(f"{self.source} is not valid YAML: {error}") from None
        services = document.get("services") if isinstance(document, dict) else None
        if not isinstance(services, dict) or not services:
            raise self.fail("services", "the file lists none.")
        for name, body in services.items():
            if not isinstance(body, dict):
                raise self.fail(f"services.{name}", "a service is a mapping of keys to values.")
        return services

    def service(self, name: str, body: Mapping[str, Any]) -> Service:
        key = f"services.{name}"
        ports = self.ports(f"{key}.ports", body.get("ports"))
        return Service(
            name=name,
            command=self.command(f"{key}.command", body.get("command")),
            environment=self.environment(f"{key}.environment", body.get("environment")),
            needs=tuple(self.names(f"{key}.depends_on", body.get("depends_on"))),
            port=ports[0] if ports else None,
            beside=tuple(sorted({port.default - ports[0].default for port in ports if port.tcp} - {0})),
            mounts=tuple(self.mounts(f"{key}.volumes", body.get("volumes"))),
            profiles=tuple(self.names(f"{key}.profiles", body.get("profiles"))),
            grace=self.seconds(f"{key}.stop_grace_period", body.get("stop_grace_period")),
        )

    def interpolate(self, key: str, value: str) -> str:
        def replace(match: re.Match[str]) -> str:
            if match["name"]:
                return self.environ.get(match["name"]) or match["default"]
            if match["other"] is None:
                return "$"
            raise self.fail(key, f"{value!r}: only ${{NAME:-default}} and $$ are understood.")

        return _VARIABLE.sub(replace, value)

    def command(self, key: str, value: object) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, str):
            return self.words(key, self.interpolate(key, value))
        if isinstance(value, list):
            return tuple(self.interpolate(key, str(part)) for part in value)
        raise self.fail(key, "a command is a string or a list.")

    def words(self, key: str, command: str) -> tuple[str, ...]:
        try:
            return tuple(shlex.split(command))
        except ValueError as error:
            raise self.fail(key, f"{command!r} is no command line: {error}.") from None

    def environment(self, key: str, value: object) -> dict[str, str]:
        if value is None:
            return {}
        if isinstance(value, list):
            value = dict(str(line).partition("=")[::2] for line in value)
        if not isinstance(value, dict):
            raise self.fail(key, "an environment is a mapping or a list of NAME=value.")
        return {str(name): self.interpolate(f"{key}.{name}", _scalar(item)) for name, item in value.items()}

    def names(self, key: str, value: object) -> list[str]:
        if value is None:
            return []
        if isinstance(value, list | dict):
            return [self.interpolate(key, str(name)) for name in value]
        raise self.fail(key, "a list or a mapping of names is expected.")

    def ports(self, key: str, value: object) -> list[Port]:
        if not isinstance(value, list | None):
            raise self.fail(key, "a list of published ports is expected.")
        return [self.published(key, entry) for entry in value or []]

    def published(self, key: str, entry: object) -> Port:
        match = _PORT.fullmatch(str(entry))
        if match is None:
            raise self.fail(key, f"{entry!r} does not look like 127.0.0.1:${{NAME_PORT:-8001}}:8000.")
        return Port(match["variable"], int(match["default"]), not str(entry).endswith("/udp"))

    def mounts(self, key: str, value: object) -> Iterable[Mount]:
        for entry in value if isinstance(value, list) else []:
            parts = self.interpolate(key, str(entry)).split(":")
            if isinstance(entry, dict) or len(parts) not in (2, 3):
                raise self.fail(key, f"{entry!r} does not look like name:/path or ./folder:/path.")
            yield Mount(parts[0], parts[1].rstrip("/"))

    def seconds(self, key: str, value: object) -> float:
        if value is None:
            return DEFAULT_GRACE
        match = _DURATION.fullmatch(str(value))
        if not match or not any(match.groups()):
            raise self.fail(key, f"{value!r} is not a duration such as 20s or 1m30s.")
        hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
        return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _scalar(value: object) -> str:
    """Return a YAML scalar as Compose would hand it to a process: booleans as in YAML, null as nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
