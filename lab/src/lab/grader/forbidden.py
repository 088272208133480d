"""What an engine of threads does not do: a schedule of threads says nothing about a process it starts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["PROCESS", "no_processes", "tried"]

PROCESS = "an engine of threads starts no process"
EVENTS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
)
tried: set[str] = set()
"""What was tried in the last search."""
_state = {"hooked": False, "active": False}


@contextmanager
def no_processes() -> Iterator[None]:
    """Whoever tries to start a process in this block gets RuntimeError, and is noted in `tried`."""
    if not _state["hooked"]:
        sys.addaudithook(_hook)  # for good: Python has no way to take one away
    _state.update(hooked=True, active=True)
    tried.clear()
    try:
        yield
    finally:
        _state["active"] = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in EVENTS and _state["active"]:
        tried.add(event)
        raise RuntimeError(f"{PROCESS} ({event})")
