"""A learner's engine on a small real job: a real web, real files, real threads, and no lab running."""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn
from rich.traceback import Traceback

from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.storage import FileStorage
from downloader.adapters.transport import HttpTransport
from downloader.contract import DownloadManager, Job, Limits, Ports, State, Status

FILES = (
    ("plain", "http://files.lab.test/files/8MiB/plain"),
    ("flaky", "http://files.lab.test/files/2MiB/flaky?error-rate=0.4"),
    ("missing", "http://files.lab.test/nothing/here"),
)
LONGEST = 30.0


def tryout(engine: type[DownloadManager], console: Console | None = None) -> bool:
    """Download three files with `engine` and show what comes of it; whether all ended as they should."""
    console = console or Console()
    with _web() as origin, tempfile.TemporaryDirectory(prefix="lab-tryout-") as folder:
        transport = HttpTransport(AllowedHosts(["*.lab.test"], origin))
        ports = Ports(transport=transport, storage=FileStorage(Path(folder)))
        try:
            ends = _run(engine(ports, Limits(workers=3, retry_base=0.1)), console)
        except Exception as error:
            console.print(_explained(error))
            return False
        finally:
            transport.close()
    return _told(ends, console)


def _run(manager: DownloadManager, console: Console) -> Mapping[str, Status]:
    manager.start([])
    jobs = [Job(url, destination=name, id=name) for name, url in FILES]
    for job in jobs:
        manager.submit(job)
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console) as bars:
        shown = {job.id: bars.add_task(job.id, total=None, state="") for job in jobs}
        _watch(manager, bars, shown)
    ends = {job.id: manager.status(job.id) for job in jobs}
    manager.shutdown(drain=False)
    return ends


def _watch(manager: DownloadManager, bars: Progress, shown: Mapping[str, TaskID]) -> None:
    until, unfinished = time.monotonic() + LONGEST, list(shown)
    while unfinished and time.monotonic() < until:
        for name in list(unfinished):
            now = manager.wait(name, 0.05)
            bars.update(shown[name], completed=now.received, total=now.total, state=now.state)
            if now.state.final:
                unfinished.remove(name)


def _told(ends: Mapping[str, Status], console: Console) -> bool:
    expected = {name: State.FAILED if name == "missing" else State.DONE for name in ends}
    for name, end in ends.items():
        right = end.state is expected[name]
        note = end.error or f"{end.received:,} bytes, {end.retries} retries"
        console.print(f"[{'green' if right else 'red'}]{end.state:>10}[/]  {name}: {note}", highlight=False)
    wrong = [name for name, end in ends.items() if end.state is not expected[name]]
    should = ", ".join(f"{name} should be {expected[name]}" for name in wrong)
    console.print(f"Not yet: {should}." if wrong else "It works on a sunny day. Now: [bold]lab check T1[/]")
    return not wrong


def _explained(error: Exception) -> RenderableType:
    """The error with its lines; of a method that says nothing but that it is not written, only where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, RuntimeError) and not error.args:
        return f"Not written yet: [bold]{frames[-1].name}[/], line {frames[-1].lineno}. The comment says what for."
    return Traceback.from_exception(
        type(error), error, error.__traceback__, max_frames=4, suppress=[__file__]
    )


@contextmanager
def _web() -> Iterator[str]:
    """The lab's own web on a port that the system chose; its URL."""
    command: Sequence[str] = [sys.executable, "-m", "lab.origin"]
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        try:
            yield str(json.loads(process.stdout.readline())["addresses"][0])
        finally:
            process.kill()
