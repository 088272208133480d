"""Starts a supervisor in the background, and follows one until it is ready or has failed."""

import subprocess
import sys
import time
from pathlib import Path

from lab import LabError
from lab.supervisor import control, logs
from lab.supervisor.board import Report
from lab.supervisor.state import Home, LabState

__all__ = ["up"]

_POLL_SECONDS = 0.1


def up(file: Path, home: Home, report: Report) -> int:
    """Return 0 once the lab is ready, also one that ran before; 1 if it failed, and nothing of it is left.

    Raises LabError where it could not even start. Interrupted, it ends the supervisor that it started.
    """
    if _runs_already(home):
        return _follow(home, report, None)
    process = _start(file, home)
    try:
        return _follow(home, report, process)
    except LabError:
        if not _runs_already(home):  # else another was started at the same moment, and won
            raise
        return _follow(home, report, None)
    except KeyboardInterrupt:
        report.say("Ending the lab ...")
        process.terminate()
        process.wait()
        raise


def _runs_already(home: Home) -> bool:
    """Whether a lab runs here; one that is about to end is waited for."""
    while state := control.running(home):
        if state.status in ("starting", "ready"):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _start(file: Path, home: Home) -> subprocess.Popen[bytes]:
    with home.refusals_told():
        home.logs.mkdir(parents=True, exist_ok=True)
        logs.begin(home.log("lab"))
    with home.log("lab").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "lab.supervisor", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _follow(home: Home, report: Report, process: subprocess.Popen[bytes] | None) -> int:
    while True:
        ended = process.poll() is not None if process else not home.locked()
        state = home.load()
        mine = state is not None and process is not None and state.pid == process.pid
        if state and (mine or process is None) and _show(report, state):
            if state.status == "ready":
                return 0
            if process:
                process.wait()
            return 1
        if ended:
            told = "\n".join(logs.tail(home.log("lab"), 20))
            raise LabError(told or f"The supervisor ended and said nothing; see {home.log('lab')}.")
        time.sleep(_POLL_SECONDS)


def _show(report: Report, state: LabState) -> bool:
    """Show it, and return whether it will not change by itself any more."""
    report.show(state)
    return state.status in ("ready", "failed", "stopped")


def already(home: Home) -> str:
    """Return what to tell somebody who starts a second lab."""
    state = control.running(home)
    addresses = (
        [f"  {c.name:<16} {c.address}" for c in state.components.values() if c.address] if state else []
    )
    return "\n".join(["The lab is already running (see `lab status`; `lab down` ends it):", *addresses])
