"""Finds or fetches Prometheus, and derives its local configuration from the containers' one.

Fetching needs no root and installs nothing: the distribution's package is unpacked into `.lab/`.
"""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lab import LabError
from lab.supervisor.plan import HOST, Component
from lab.supervisor.state import Home
from lab.supervisor.supervise import Absent

__all__ = ["local_config", "prepare"]

FETCH_SECONDS = 60.0
ABSENT = (
    "No Prometheus here, so the lab runs without history: install the package `prometheus`, "
    "or set PROMETHEUS=/path/to/prometheus."
)
_SMALL = {"GOGC": "50", "GOMEMLIMIT": "64MiB"}
_CONFIG_MOUNT = "/etc/prometheus"
_OURS = ("--config.file", "--storage.tsdb.path", "--web.listen-address", "--web.local-assets")


async def prepare(component: Component, components: Iterable[Component], home: Home) -> Component:
    """Return the component with its command, its configuration written.

    Raises Absent where there is no Prometheus to be had within FETCH_SECONDS, LabError for a wrong
    PROMETHEUS or configuration.
    """
    folder = home.folder / "prometheus"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    program = await _find(folder)
    config = _write_config(component, components, folder)
    kept = [part for part in component.command if part.startswith("--") and part.split("=")[0] not in _OURS]
    command = (
        str(program.path),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{component.port}",
        *([f"--web.local-assets={program.assets}"] if program.assets else []),
        *kept,
    )
    return replace(component, command=command, environment={**component.environment, **_SMALL})


@dataclass(frozen=True)
class _Program:
    path: Path
    assets: Path | None = None


async def _find(folder: Path) -> _Program:
    """Return the first of: PROMETHEUS, PATH, what was unpacked earlier, what can be unpacked now."""
    chosen = os.environ.get("PROMETHEUS")
    if chosen:
        path = _absolute(chosen)
        if await _runs(path):
            return _Program(path)
        raise LabError(f"PROMETHEUS={chosen} does not run: set the path of a Prometheus, or unset it.")
    on_path = shutil.which("prometheus")
    if on_path and await _runs(Path(on_path)):
        return _Program(Path(on_path))
    unpacked = folder / "package/usr/bin/prometheus"
    if not await _runs(unpacked):
        await _unpack(folder)
        if not await _runs(unpacked):
            raise Absent(ABSENT)
    return _Program(unpacked, folder / "package/usr/share/prometheus/web/")


def _absolute(program: str) -> Path:
    """The path of a program that will run in another folder than this one."""
    return Path(shutil.which(program) or program).absolute()


async def _unpack(folder: Path) -> None:
    """Fetch the distribution's package and unpack it; leave nothing half done where that fails."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    draft = folder / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "lists/partial").mkdir(parents=True)
    private = [f"-oDir::State::Lists={draft / 'lists'}", f"-oDir::Cache={draft / 'cache'}"]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FETCH_SECONDS):
            fetched = await _run("apt-get", "download", "prometheus", folder=draft) or (
                await _run("apt-get", *private, "update", folder=draft)
                and await _run("apt-get", *private, "download", "prometheus", folder=draft)
            )
            packages = [str(path) for path in draft.glob("prometheus_*.deb")] if fetched else []
            if packages and await _run("dpkg", "-x", packages[0], "package", folder=draft):
                shutil.rmtree(folder / "package", ignore_errors=True)
                (draft / "package").rename(folder / "package")
    shutil.rmtree(draft, ignore_errors=True)


async def _runs(path: Path) -> bool:
    return await _run(str(path), "--version", folder=path.parent)


async def _run(*command: str, folder: Path) -> bool:
    """Whether a helper ended well; it is killed when we are cancelled."""
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=nothing, stdout=nothing, stderr=nothing
        )
    except OSError:
        return False
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _write_config(component: Component, components: Iterable[Component], folder: Path) -> Path:
    mount = component.mounts.get(_CONFIG_MOUNT)
    if mount is None or not (mount / "prometheus.yml").is_file():
        raise LabError(f"services.prometheus.volumes: no folder with a prometheus.yml is at {_CONFIG_MOUNT}.")
    source = _source(mount / "prometheus.yml")
    addresses = {c.name: f"{HOST}:{c.port}" for c in components if c.port is not None}
    config, targets = local_config(source, addresses, mount, folder / "targets")
    (folder / "targets").mkdir(exist_ok=True)
    for job, found in targets.items():
        (folder / "targets" / f"{job}.json").write_text(json.dumps([{"targets": found}]))
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _source(path: Path) -> dict[str, Any]:
    try:
        source = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(source, dict):
        raise LabError(f"{path}: a mapping with scrape_configs is expected.")
    return source


def local_config(
    source: Mapping[str, Any], addresses: Mapping[str, str], home: Path, targets: Path
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the configuration with each job's DNS replaced by a file, and the targets of each job. Pure.

    A name that `addresses` does not know gives no target. Relative rule files are looked for in `home`.
    """
    found: dict[str, list[str]] = {}
    jobs = []
    for job in source.get("scrape_configs", []):
        names = [name for dns in job.get("dns_sd_configs", []) for name in dns["names"]]
        found[job["job_name"]] = [addresses[name] for name in names if name in addresses]
        rest = {key: value for key, value in job.items() if key != "dns_sd_configs"}
        jobs.append(rest | {"file_sd_configs": [{"files": [str(targets / f"{job['job_name']}.json")]}]})
    rules = [str(home / pattern) for pattern in source.get("rule_files", [])]
    return {**source, "rule_files": rules, "scrape_configs": jobs}, found
