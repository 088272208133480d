"""What other commands do with a running lab, or with what a killed one left: find, describe, end.

No process is signalled that is not provably of this lab: its pid and creation time are those recorded, or it
is in the session of such a process, or it carries the run's mark in its environment.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import psutil

from lab import LabError
from lab.supervisor.state import Home, LabState

__all__ = ["MARK", "end", "end_leftovers", "running"]

MARK = "LAB_RUN"
_CLOCK_SLACK = 1.0  # seconds; creation times move with corrections of the clock


def running(home: Home) -> LabState | None:
    """Return the state of the lab that runs now, or None."""
    found = _supervisor(home)
    return found[0] if found else None


def end(home: Home, say: Callable[[str], None]) -> bool:
    """End the lab and wait until all its processes are gone; return whether there was anything to end.

    Raises LabError if it is another user's, or the supervisor outlives the sum of all graces.
    """
    found = _supervisor(home)
    if found is None:
        return end_leftovers(home, say)
    state, supervisor = found
    _signal([supervisor], signal.SIGTERM)
    patience = 10 + sum(component.grace for component in state.components.values())
    if not _wait_gone([supervisor], patience):
        raise LabError(
            f"The supervisor (pid {state.pid}) did not end in {patience:g} s: kill it, then again."
        )
    end_leftovers(home, say)
    return True


def _supervisor(home: Home) -> tuple[LabState, psutil.Process] | None:
    """Return the running lab and its supervisor; one that has the lock and no state yet gets a moment."""
    deadline = time.monotonic() + 5
    while home.locked():
        state = home.load()
        process = _same(state.pid, state.created) if state else None
        if state and process:
            return state, process
        if time.monotonic() > deadline:
            raise LabError(
                f"{home.folder / 'lock'} is held by a process that is no supervisor: end that first."
            )
        time.sleep(0.05)
    return None


def end_leftovers(home: Home, say: Callable[[str], None]) -> bool:
    """End what a killed supervisor left: SIGTERM to the leaders, SIGKILL after their grace. Requires that no
    supervisor runs.
    """
    state = home.load()
    left = _processes_of(state) if state else []
    if state is None or not left:
        return False
    recorded = {c.pid for c in state.components.values()}
    _signal((p for p in left if p.pid in recorded), signal.SIGTERM)
    grace = max((c.grace for c in state.components.values()), default=0.0)
    _wait_gone([p for p in left if p.pid in recorded], grace)
    rest = _processes_of(state)
    _signal(rest, signal.SIGKILL)
    _wait_gone(rest, 5)
    with home.refusals_told():
        home.save(_all_stopped(state))
    say(f"Ended {len(left)} process(es) that a killed lab had left.")
    return True


def _all_stopped(state: LabState) -> LabState:
    for name in state.components:
        state = state.with_component(name, state="stopped", pid=None, created=None)
    return replace(state, status="stopped")


def _processes_of(state: LabState) -> list[psutil.Process]:
    """Return the living processes that are provably of this lab, but for the supervisor."""
    leaders = {c.pid for c in state.components.values() if c.pid and _same(c.pid, c.created)}
    return [p for p in psutil.process_iter() if p.pid != os.getpid() and _is_of(p, leaders, state.run)]


def _is_of(process: psutil.Process, leaders: set[int], run: str) -> bool:
    try:
        if not _lives(process):
            return False
        return os.getsid(process.pid) in leaders or process.environ().get(MARK) == run
    except (psutil.Error, OSError):
        return False


def _same(pid: int, created: float | None) -> psutil.Process | None:
    """Return the process if it is still the one that was recorded."""
    try:
        process = psutil.Process(pid)
        known = created is not None and abs(process.create_time() - created) < _CLOCK_SLACK
        return process if known and _lives(process) else None
    except psutil.Error:
        return None


def _wait_gone(processes: Iterable[psutil.Process], timeout: float) -> bool:
    """Wait until all have ended; one that only its parent has yet to collect has ended."""
    deadline = time.monotonic() + timeout
    while any(_lives(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            owner = f"{process.username()} (pid {process.pid})"
            raise LabError(f"The lab here is that of {owner}: end it as that user, or with sudo.") from None
