"""Runs the load process and listens to it. Locust stays in that process."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

from lab import LabError
from lab.load.reports import Job, Progress, Summary, decode

__all__ = ["conduct"]


def conduct(job: Job, show: Callable[[Progress], None]) -> tuple[Summary, bool]:
    """Run a job; return what came of it, and whether Ctrl-C ended it early (a second one ends it at once).

    Raises LabError if the process ends without a result, KeyboardInterrupt if Ctrl-C came before there was
    anything to tell. In every case the process has ended on return.
    """
    command = [sys.executable, "-m", "lab.load.worker", json.dumps(asdict(job))]
    # A session of its own: the terminal's Ctrl-C is for us, and we pass it on in our own way.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        return _listen(process, show)
    finally:
        process.kill()
        process.communicate()


def _listen(process: subprocess.Popen[str], show: Callable[[Progress], None]) -> tuple[Summary, bool]:
    try:
        summary, interrupted = _summary(process, show), False
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        summary, interrupted = _summary(process, show), True
        if summary is None:
            raise
    code = process.wait()
    if summary is None or code != 0:
        raise LabError(f"The load process ended with exit code {code}; what it said is above.")
    return summary, interrupted


def _summary(process: subprocess.Popen[str], show: Callable[[Progress], None]) -> Summary | None:
    assert process.stdout is not None
    for line in process.stdout:
        report = decode(line)
        if isinstance(report, Summary):
            return report
        show(report)
    return None
