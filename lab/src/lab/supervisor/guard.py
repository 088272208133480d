"""Ends what a killed supervisor leaves behind.

A tiny process of its own session, the standard library only. The supervisor tells it on stdin which process
groups live ("+ PID GRACE", "- PID"). When that pipe ends, however the supervisor ended, every leader still
listed gets SIGTERM, and its whole group SIGKILL once the leader is gone or its grace (seconds) is over.
Nothing is listed after an orderly end, so there the guard just ends.
"""

import os
import signal
import sys
import time
from collections.abc import Callable


def main() -> None:
    """Follow stdin until it ends, then end every group still listed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, float] = {}
    for line in sys.stdin:
        sign, pid, *grace = line.split()
        if sign == "+":
            groups[int(pid)] = float(grace[0])
        else:
            groups.pop(int(pid), None)
    end(groups)


def end(groups: dict[int, float]) -> None:
    """SIGTERM every leader, then SIGKILL each group when its leader is gone or its grace is over."""
    for pid in groups:
        _signal(os.kill, pid, signal.SIGTERM)
    started = time.monotonic()
    while groups:
        waited = time.monotonic() - started
        for pid in [pid for pid, grace in groups.items() if waited >= grace or not _alive(pid)]:
            _signal(os.killpg, pid, signal.SIGKILL)
            del groups[pid]
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return not os.path.exists("/proc/self") and _signal(os.kill, pid, 0)


def _signal(send: Callable[[int, int], None], target: int, number: int) -> bool:
    try:
        send(target, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
