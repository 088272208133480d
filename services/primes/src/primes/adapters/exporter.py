"""The face of a Celery worker: /health, /ready and /metrics for all its processes, and its place in the crew.

Imported only when PROMETHEUS_MULTIPROC_DIR is set, for prometheus_client looks at it when it is imported.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from primes.adapters.kernels import available
from primes.adapters.remote import Telegraph, redis_client
from primes.config import Settings
from primes.metrics import OUTCOMES, TILE_SECONDS

__all__ = ["Exporter", "WorkerMetrics"]

SERVICE = ("primes-worker", "")
LABELS = ("service", "engine")
REPORT_SECONDS = 1.0


class WorkerMetrics:
    """What each process of the worker counts. Their files are added up at each scrape."""

    def __init__(self) -> None:
        tiles = Counter("primes_worker_tiles", "Orders, by what became of them", (*LABELS, "outcome"))
        self._tiles = {outcome: tiles.labels(*SERVICE, outcome) for outcome in OUTCOMES}
        self._seconds = Histogram(
            "primes_worker_tile_seconds", "Computing one tile", LABELS, buckets=TILE_SECONDS
        ).labels(*SERVICE)
        self._redelivered = Counter("primes_worker_redelivered", "Orders that came again", LABELS).labels(
            *SERVICE
        )
        self._started = Counter("primes_worker_processes", "Processes started", LABELS).labels(*SERVICE)

    def ended(self, outcome: str, seconds: float) -> None:
        self._tiles[outcome].inc()
        if seconds:
            self._seconds.observe(seconds)

    def redelivered(self) -> None:
        self._redelivered.inc()

    def started(self) -> None:
        self._started.inc()


class Exporter:
    """Threads of the worker's parent process."""

    def __init__(self, settings: Settings, over: threading.Event) -> None:
        self._settings, self._over, self._reported = settings, over, False
        self._kernel = available(settings.primes_kernel)
        self._name = f"{os.uname().nodename}-{os.getpid()}"
        self._telegraph = Telegraph(redis_client(settings.redis_url))
        self._server = ThreadingHTTPServer((settings.host, settings.port), self._handler())

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def join(self, **_: Any) -> None:
        """The worker takes orders now: whoever is still starting is nobody to count on."""
        threading.Thread(target=self._report, name="crew", daemon=True).start()

    def leave(self) -> None:
        self._telegraph.leave(self._name, self._settings.primes_workers, self._kernel)

    def _report(self) -> None:
        while not self._over.is_set():
            try:
                self._telegraph.report(self._name, self._settings.primes_workers, self._kernel)
                self._reported = True
            except RedisError:
                self._reported = False
            self._over.wait(REPORT_SECONDS)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = exporter.page(self.path)
                with suppress(ConnectionError):  # a health check reads no further than the status
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *values: Any) -> None: ...

        return Handler

    def page(self, path: str) -> tuple[int, str, bytes]:
        """Status, media type and body of an answer."""
        if path == "/metrics":
            return 200, CONTENT_TYPE_LATEST, _scraped()
        if path == "/health":
            return 200, "application/json", b'{"service":"primes-worker","status":"alive"}'
        if path == "/ready" and self._reported:
            return 200, "application/json", f'{{"status":"ready","kernel":"{self._kernel}"}}'.encode()
        if path == "/ready":
            return 503, "application/problem+json", b'{"status":503,"detail":"no answer from redis"}'
        return 404, "application/problem+json", b'{"status":404,"detail":"/health, /ready and /metrics"}'


class _Memory(Collector):
    """Of the worker and all its processes together, under the name that a single process has it."""

    def collect(self) -> Iterator[Metric]:
        worker, total = psutil.Process(), 0
        for process in (worker, *worker.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        yield GaugeMetricFamily("process_resident_memory_bytes", "Of all its processes together", total)


def _scraped() -> bytes:
    """Gauges of processes that were killed are dropped; their counters stay, for counters never go back."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    for file in folder.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not psutil.pid_exists(pid):
            with suppress(FileNotFoundError):
                mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the client does not annotate it
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Memory())
    return generate_latest(registry)
