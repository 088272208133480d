"""What `lab status` and `lab logs` show."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path

from lab import LabError
from lab.supervisor import control, logs, probe
from lab.supervisor.plan import HOST
from lab.supervisor.state import ComponentState, Home, LabState

__all__ = ["all_up", "as_json", "current", "print_logs", "print_table"]

_POLL_SECONDS = 0.2


def current(home: Home) -> LabState | None:
    """Return the running lab, each component that was ready asked again; None where none runs."""
    state = control.running(home)
    if state is None:
        return None
    return asyncio.run(_asked_again(state))


async def _asked_again(state: LabState) -> LabState:
    components = await asyncio.gather(*(_ask(c) for c in state.components.values()))
    return replace(state, components={c.name: c for c in components})


async def _ask(component: ComponentState) -> ComponentState:
    port = _local_port(component.address)
    if component.state != "ready" or port is None or await probe.answers(component.name, port):
        return component
    return replace(component, state="unready", detail="It was ready, and does not answer now.")


def _local_port(address: str) -> int | None:
    host, _, port = address.removeprefix("http://").partition(":")
    return int(port) if host == HOST and port.isdigit() else None


def all_up(state: LabState | None) -> bool:
    """Whether a lab runs and nothing in it is missing."""
    return state is not None and state.status == "ready" and all(c.up for c in state.components.values())


def as_json(state: LabState | None) -> str:
    """Return the lab as a JSON document; without one its status is "stopped"."""
    if state is None:
        return json.dumps({"status": "stopped", "components": []})
    shown = ("name", "state", "address", "pid", "seconds_to_ready", "restarts", "detail")
    components = [{key: asdict(c)[key] for key in shown} for c in state.components.values()]
    return json.dumps(
        {
            "status": state.status,
            "pid": state.pid,
            "seconds_to_ready": state.seconds_to_ready,
            "components": components,
        },
        indent=1,
    )


def print_table(state: LabState | None) -> None:
    """Print each component with state, address, pid, seconds to ready and restarts."""
    from rich.table import Table

    from lab.terminal import console

    if state is None:
        print("No lab is running here. Start it with: lab up")
        return
    table = Table("component", "state", box=None, pad_edge=False)
    table.add_column("address", overflow="fold")
    for name in ("pid", "ready in", "restarts"):
        table.add_column(name, justify="right")
    for c in state.components.values():
        ready = "-" if c.seconds_to_ready is None else f"{c.seconds_to_ready:.1f} s"
        table.add_row(c.name, c.state, c.address or "-", str(c.pid or "-"), ready, str(c.restarts))
    shown = console()
    shown.print(table)
    for c in state.components.values():
        if c.detail:
            shown.print(f"{c.name}: {c.detail}", markup=False, soft_wrap=True)


def print_logs(home: Home, name: str | None, count: int, follow: bool) -> None:
    """Print the end of one log, or of all with a prefix; then, if asked, what is added to them.

    Raises LabError for a component that has no log.
    """
    files = {path.stem: path for path in sorted(home.logs.glob("*.log"))}
    if not files:
        raise LabError("There are no logs here yet: `lab up` writes them.")
    if name is not None and name not in files:
        raise LabError(f"There is no log of {name!r}; there are: {', '.join(files)}.")
    chosen = {name: files[name]} if name is not None else files
    width = max(12, *map(len, chosen))
    prefixes = {key: "" if name is not None else f"{key:<{width}} | " for key in chosen}
    for key, path in chosen.items():
        for line in logs.tail(path, count):
            print(prefixes[key] + line)
    if follow:
        _follow(chosen, prefixes)


def _follow(paths: Mapping[str, Path], prefixes: Mapping[str, str]) -> None:
    with ExitStack() as stack:
        followed = {key: stack.enter_context(closing(logs.Follower(path))) for key, path in paths.items()}
        while True:
            for key, log in followed.items():
                for line in log.new_lines():
                    print(prefixes[key] + line, flush=True)
            time.sleep(_POLL_SECONDS)
