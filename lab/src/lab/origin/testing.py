"""A real origin for tests and benchmarks, in a process of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RunningOrigin:
    """Where it answers, and its process (which may be killed)."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0


@contextmanager
def running(**environment: str) -> Iterator[RunningOrigin]:
    """Run an origin on a port that the system chose, ready when this yields, ended when this ends.

    Keyword arguments are environment variables, as ORIGIN_SEED="7".
    """
    environment = {**os.environ, "HOST": "127.0.0.1", "PORT": "0", **environment}
    command = [sys.executable, "-m", "lab.origin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        try:
            yield RunningOrigin(json.loads(first)["addresses"][0], process)
        finally:
            process.terminate()
            drain.join()
