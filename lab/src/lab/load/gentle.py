"""The background load: one quiet user for each service, so that no panel of the lab is ever empty.

Made to cost next to nothing: a thread a service, the standard library's HTTP client, and no more.
"""

import http.client
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from lab import LabError
from lab.challenges import Challenge, installed
from lab_kit.visits import VisitFailed

__all__ = ["GentleVisitor", "Stopped", "main", "targets"]

BETWEEN = (0.8, 1.8)  # seconds between two visits
READY_DELAYS = (0.25, 5.0)  # seconds between two questions whether the service is ready: first, longest
REQUEST_SECONDS = 10.0
END_SECONDS = 0.8  # for all visits together to tidy up after a SIGTERM
ENDS = {signal.SIGTERM, signal.SIGINT}
ORIGIN = "http://127.0.0.1:8020"


class Stopped(Exception):
    """The load is to end; a visit tidies up on its way out."""


class GentleVisitor:
    """A `Visitor` with one connection, for one thread. Its first pause after the stop raises Stopped."""

    def __init__(self, url: str, origin: str, stop: threading.Event, random: Random) -> None:
        self.url, self.origin, self.random = url, origin, random
        self._stop, self._stopped = stop, False
        self._connections: dict[str, http.client.HTTPConnection] = {}

    def ask(
        self,
        method: str,
        path: str,
        *,
        name: str = "",
        body: object = None,
        host: str = "",
        allow: tuple[int, ...] = (),
    ) -> tuple[int, Any]:
        """See `Visitor.ask`."""
        beat()
        parts = urlsplit(path if "://" in path else self.url + path)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        try:
            response, data = self._exchange(parts.netloc, method, target, _encoded(body), host)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise VisitFailed(f"{method} {name or path}: no answer ({error!r})") from error
        if not 200 <= response.status < 300 and response.status not in allow:
            raise VisitFailed(
                f"{method} {name or path}: {response.status} {data[:200].decode(errors='replace')}"
            )
        try:
            return response.status, _decoded(response.headers.get_content_type(), data)
        except ValueError as error:
            raise VisitFailed(f"{method} {name or path}: {response.status}, no JSON ({error})") from error

    def measure(self, name: str, seconds: float, size: int = 0, error: str | None = None) -> None:
        """Only errors are of interest here."""
        if error:
            log("warning", f"{name}: {error}")

    def pause(self, seconds: float) -> None:
        """Wait; once stopped, raise the first time, so that the visit ends, and then wait briefly."""
        if not self._stopped and self._stop.wait(seconds):
            self._stopped = True
            raise Stopped
        if self._stopped:
            time.sleep(min(seconds, 0.05))

    def close(self) -> None:
        """Drop the connections; the next request makes new ones."""
        while self._connections:
            self._connections.popitem()[1].close()

    def _exchange(
        self, netloc: str, method: str, target: str, body: bytes | None, host: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connections.get(netloc)
        if connection is None:
            connection = http.client.HTTPConnection(netloc, timeout=REQUEST_SECONDS)
            self._connections[netloc] = connection
        headers = {"Host": host} if host else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response, response.read()


def _encoded(body: object) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _decoded(content_type: str, data: bytes) -> Any:
    return json.loads(data) if content_type.endswith("json") else data.decode(errors="replace")


def targets(challenges: list[Challenge], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the URL of each module that the environment says where to find. Raises LabError for none."""
    found = {one.module: environ[one.variable].rstrip("/") for one in challenges if environ.get(one.variable)}
    if not found:
        variables = ", ".join(one.variable for one in challenges) or "nothing, for no challenge is installed"
        raise LabError(f"No service to load: set one or more of {variables}.")
    return found


def keep_visiting(module: ModuleType, visitor: GentleVisitor) -> None:
    """Visit until Stopped, whatever becomes of the service; tidy up whenever it is there again."""
    name = module.__name__.partition(".")[0]
    while True:
        _wait_ready(visitor)
        try:
            module.tidy(visitor)
            log("info", "visiting", target=name, url=visitor.url)
            while True:
                module.gentle(visitor)
                visitor.pause(visitor.random.uniform(*BETWEEN))
        except Stopped:
            raise
        except Exception as failure:  # whatever a service answers, its load outlives it
            log("warning", "a visit failed", target=name, error=f"{type(failure).__name__}: {failure}")
            visitor.pause(BETWEEN[0])


def _wait_ready(visitor: GentleVisitor) -> None:
    delay, longest = READY_DELAYS
    while True:
        try:
            visitor.ask("GET", "/ready")
            return
        except VisitFailed:
            visitor.pause(delay)
            delay = min(2 * delay, longest)


def beat() -> None:
    """Touch the file LAB_HEARTBEAT, if there is one: a container's health check looks at its age."""
    if path := os.environ.get("LAB_HEARTBEAT"):
        Path(path).touch()


def log(level: str, event: str, **facts: object) -> None:
    """Write one JSON line, with the keys that every service's lines have.

    (The kit's logging would bring its Redis client along, which is more than the rest of this process.)
    """
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line = {"ts": now, "level": level, "service": "load", "logger": __name__, "event": event, **facts}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Load every service that the environment names, until SIGTERM or SIGINT; then end within a second."""
    stop, origin = threading.Event(), os.environ.get("LAB_ORIGIN_URL", ORIGIN)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)  # before the threads, which inherit it
    threads = []
    for module, url in targets(installed(), os.environ).items():
        visitor = GentleVisitor(url, origin, stop, Random(module))
        threads.append(threading.Thread(target=_run, args=(module, visitor), name=module, daemon=True))
        threads[-1].start()
    signal.sigwait(ENDS)
    stop.set()
    deadline = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    log("info", "ended")


def _run(module: str, visitor: GentleVisitor) -> None:
    try:
        keep_visiting(importlib.import_module(f"{module}.load"), visitor)
    except Stopped:
        visitor.close()
