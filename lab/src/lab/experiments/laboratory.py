"""Where experiments run: an origin, a Valkey and a service of their own, on free ports, gone afterwards."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab import LabError
from lab.grader import Inconclusive
from lab.origin.testing import running

__all__ = ["SECONDS", "Laboratory", "Running"]

SECONDS = 55.0
"""The longest that one experiment may take; its processes have five more to end."""
ANSWER_SECONDS, POLL_SECONDS, END_SECONDS = 10.0, 0.02, 5.0
LAST_WORDS = 1500


@dataclass(frozen=True)
class Running:
    """One process that answers at `url`."""

    url: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send JSON; return the answer's JSON, None for an empty one. Raises LabError for any other answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
                text = answer.read()
        except (OSError, ValueError) as error:
            raise LabError(f"{method} {self.url}{path}: {error}") from error
        return json.loads(text) if text else None

    def set_faults(self, **magnitudes: float) -> None:
        """Put exactly these in force; `latency_fixed` stands for latency-fixed."""
        named = {name.replace("_", "-"): magnitude for name, magnitude in magnitudes.items()}
        self.ask("PUT", "/lab/faults", {"faults": named})

    def fired(self, fault: str) -> int:
        """How often the fault has fired so far."""
        return int(self.ask("GET", "/lab/faults")[fault]["fired"])


class Laboratory:
    """What an experiment works with, as a context: on its end every process is gone, and every file.

    `say` tells people how far it is. Everything together has `seconds`: who waits longer gets Inconclusive.
    """

    def __init__(
        self, module: str, say: Callable[[str], None] = lambda what: None, seconds: float = SECONDS
    ) -> None:
        self.say, self._module, self._deadline = say, module, time.monotonic() + seconds
        self._ends = ExitStack()
        self._origin: Running | None = None

    def __enter__(self) -> Self:
        self._folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="lab-")))
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    @property
    def origin(self) -> Running:
        """A synthetic web of this laboratory's own."""
        if self._origin is None:
            self._origin = Running(self._ends.enter_context(running()).url)
        return self._origin

    @contextmanager
    def service(self, **settings: object) -> Iterator[Running]:
        """The challenge's service, ready, with these settings and nothing done before."""
        with ExitStack() as ends:
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            port, redis = _free_port(), ends.enter_context(_valkey(folder))
            named = {
                "HOST": "127.0.0.1",
                "PORT": port,
                "REDIS_URL": redis,
                "LAB_ORIGIN_URL": self.origin.url,
                "LAB_DATA": folder / "data",
                "LAB_WORKSPACE": folder / "workspace",
                **{name.upper(): value for name, value in settings.items()},
            }
            environment = os.environ | {name: str(value) for name, value in named.items()}
            process = ends.enter_context(
                _process([sys.executable, "-m", self._module], environment, folder / "log")
            )
            service = Running(f"http://127.0.0.1:{port}")
            self.until(lambda: _ready(service, process, folder / "log"), "the service was not ready")
            yield service

    def until[T](self, ask: Callable[[], T], otherwise: str) -> T:
        """The first true answer of `ask`. Raises Inconclusive, saying `otherwise`, when the time is over."""
        while not (answer := ask()):
            self.check_time(otherwise)
            time.sleep(POLL_SECONDS)
        return answer

    def check_time(self, otherwise: str) -> None:
        """Raise Inconclusive, saying `otherwise`, when the time is over."""
        if time.monotonic() > self._deadline:
            raise Inconclusive(f"{otherwise} within the {SECONDS:.0f} s that an experiment has")

    def search(
        self, scenario: Callable[[], None], files: Sequence[Path], *, seed: int, schedules: int
    ) -> int | None:
        """How many schedules of the threads within `files` it takes until `scenario` fails; None if none does.

        Raises Inconclusive where the schedules cannot be searched.
        """
        from lab.grader import explore, planted, threads
        from lab.grader.outcome import Budget
        from lab.grader.verdicts import Verdict

        self.check_time("the search did not end")
        if not threads.can_search() or planted.blind_in(files, seed):
            raise Inconclusive("the schedules of threads cannot be searched on this Python")
        found = explore.explore(scenario, files, seed, Budget(schedules=schedules, effort=0))
        if found.verdict is Verdict.FAIL:
            return found.schedules
        if found.verdict is Verdict.PASS:
            return None
        raise Inconclusive(found.detail)


def _ready(service: Running, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        raise LabError(f"The service of the experiment ended:\n{log.read_text()[-LAST_WORDS:]}")
    try:
        with urllib.request.urlopen(f"{service.url}/ready", timeout=ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _valkey(folder: Path) -> AbstractContextManager[str]:
    from lab.supervisor.redis import binary

    @contextmanager
    def running() -> Iterator[str]:
        port = _free_port()
        command = [binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        with _process(command, os.environ.copy(), folder / "valkey.log"):
            yield f"redis://127.0.0.1:{port}/0"

    return running()


@contextmanager
def _process(
    command: Sequence[str], environment: dict[str, str], log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run it in a session of its own, so that Ctrl-C is for us, and end it."""
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
