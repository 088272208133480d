"""The process that makes the load: `python -m lab.load.worker JOB`, with Locust and gevent in it.

Importing Locust replaces the sockets, threads and sleeps of the whole process with gevent's: nothing else
imports this module. It writes reports to standard output, one a second and a summary, and whatever else is
printed goes to standard error. SIGTERM ends the load early; so does a reader that has gone.
"""

from locust import FastHttpUser, LoadTestShape, between, task  # isort: skip  # before all that it patches

import importlib
import itertools
import json
import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TextIO

import gevent  # type: ignore[import-untyped]  # it comes without types
from gevent.event import Event  # type: ignore[import-untyped]  # the same
from locust.env import Environment
from locust.html import get_html_report
from locust.stats import (
    RequestStats,
    StatsEntry,
    calculate_response_time_percentile,
    update_stats_history,
)
from locust.user.task import LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from lab.load.reports import FLOW, Entry, Job, Problem, Progress, Summary, encode
from lab.load.shapes import SHAPES
from lab_kit.visits import VisitFailed

THINK = (0.05, 0.25)  # seconds between two visits of a user
LAST_VISIT = 15.0  # seconds for the visits under way at the end of a load
INTERRUPTED = 2.0  # the same, for somebody who waits for the prompt
REPORT = 1.0  # seconds between two reports

log = logging.getLogger(__name__)


class LocustVisitor:
    """A `Visitor` whose requests and measures Locust counts."""

    def __init__(self, user: FastHttpUser, job: Job, random: Random) -> None:
        self.url, self.origin, self.random = job.url, job.origin, random
        self._client, self._event = user.client, user.environment.events.request

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
        headers = {"Host": host} if host else None
        sent = self._client.request(
            method, path, name=name or None, json=body, headers=headers, catch_response=True
        )
        with sent as response:
            status = response.status_code
            if 200 <= status < 300 or status in allow:
                response.success()
                return status, _decoded(response)
            error = f"status {status}" if status else f"no answer: {type(response.error).__name__}"
            response.failure(error)
            raise VisitFailed(error)

    def measure(self, name: str, seconds: float, size: int = 0, error: str | None = None) -> None:
        """See `Visitor.measure`."""
        failed = VisitFailed(error) if error else None
        self._event.fire(
            request_type=FLOW,
            name=name,
            response_time=seconds * 1000,
            response_length=size,
            exception=failed,
            context={},
        )

    def pause(self, seconds: float) -> None:
        """See `Visitor.pause`."""
        gevent.sleep(seconds)


def _decoded(response: Any) -> Any:
    content_type = response.headers.get("content-type", "") if response.headers else ""
    return response.json() if "json" in content_type else response.text


def user_class(job: Job, cut_short: Callable[[], None]) -> type[FastHttpUser]:
    """Return Locust's user for the visits of the job's module. Each has random numbers of its own.

    `cut_short` is called for each visit that is killed because the load is over.
    """
    visits = importlib.import_module(f"{job.module}.load").VISITS
    numbers = itertools.count()

    class Guest(FastHttpUser):
        host = job.url
        wait_time = between(*THINK)

        def on_start(self) -> None:
            random = Random(f"{job.seed}-{next(numbers)}")
            self.visitor = LocustVisitor(self, job, random)

        def stop(self, force: bool = False) -> bool:
            # Locust kills whoever is between two visits, and may meet them in the next one.
            if force or self._state != LOCUST_STATE_WAITING:
                return bool(super().stop(force))
            self._state = LOCUST_STATE_STOPPING
            return False

        @task
        def visit(self) -> None:
            [chosen] = self.visitor.random.choices(list(visits), list(visits.values()))
            try:
                chosen(self.visitor)
            except VisitFailed:
                pass  # counted where it happened
            except gevent.GreenletExit:
                cut_short()
                raise
            except Exception as error:
                log.exception("the visit %s failed", chosen.__name__)
                self.visitor.measure(chosen.__name__, 0.0, error=f"a bug: {type(error).__name__}")

    return Guest


def shape_of(job: Job) -> LoadTestShape:
    """Return Locust's shape for the job: as many users as it wants, at once."""
    users_at = SHAPES[job.shape]

    class Chosen(LoadTestShape):
        def tick(self) -> tuple[int, float] | None:
            elapsed = time.perf_counter() - self.start_time
            return (users_at(elapsed, job.users, job.seconds), job.users) if elapsed < job.seconds else None

    return Chosen()  # type: ignore[no-untyped-call]  # Locust's own __init__ is untyped


class Load:
    """One run of a job."""

    def __init__(self, job: Job, out: TextIO) -> None:
        self._job, self._out = job, out
        self._environment = Environment(
            locustfile=f"{job.module}.load",
            user_classes=[user_class(job, self._cut_short)],
            shape_class=shape_of(job),
            host=job.url,
            stop_timeout=LAST_VISIT,
        )
        self._runner = self._environment.create_local_runner()
        self._ended = Event()
        self._began = 0.0
        self._unfinished = 0

    def run(self) -> None:
        """Make the load, reporting; then write the summary, and the HTML report if one is wanted."""
        gevent.signal_handler(signal.SIGTERM, self.interrupt)
        gevent.spawn(self._report)
        self._began = time.monotonic()
        self._runner.start_shape()
        gevent.spawn(self._join, self._runner.shape_greenlet)
        self._ended.wait()
        self._runner.stop()
        elapsed = time.monotonic() - self._began
        self._write(summary(self._environment.stats, elapsed, self._unfinished))
        if self._job.html:
            report = get_html_report(self._environment, show_download_link=False)  # type: ignore[no-untyped-call]  # untyped there
            Path(self._job.html).write_text(report)

    def interrupt(self) -> None:
        """End the load now; visits get a moment to tidy up."""
        self._environment.stop_timeout = INTERRUPTED
        self._ended.set()

    def _cut_short(self) -> None:
        self._unfinished += 1

    def _join(self, shape: gevent.Greenlet) -> None:
        shape.join()
        self._ended.set()

    def _report(self) -> None:
        meter, stats = Meter(self._job.seconds), self._environment.stats
        while not self._ended.wait(REPORT):
            self._write(meter.read(stats, time.monotonic() - self._began, self._runner.user_count))
            update_stats_history(self._runner)  # what the charts of the report are drawn from

    def _write(self, report: Progress | Summary) -> None:
        try:
            print(encode(report), file=self._out, flush=True)
        except BrokenPipeError:
            self.interrupt()


class Meter:
    """Reads Locust's counters; rates and quantiles are those since the last reading."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._elapsed = seconds, 0.0
        self._times: dict[tuple[str, str], Counter[int]] = {}

    def read(self, stats: RequestStats, elapsed: float, users: int) -> Progress:
        """Return how it goes now; `elapsed` in seconds since the start."""
        times = {key: Counter(entry.response_times) for key, entry in stats.entries.items()}
        new = {key: now - self._times.get(key, Counter()) for key, now in times.items()}
        span = elapsed - self._elapsed
        self._times, self._elapsed = times, elapsed
        flows = {name: took for (name, method), took in new.items() if method == FLOW}
        requests = sum(took.total() for (_, method), took in new.items() if method != FLOW)
        rates = {name: took.total() / span for name, took in flows.items()}
        p95 = {name: _quantile(took, 0.95) for name, took in flows.items() if took}
        return Progress(elapsed, self._seconds, users, stats.total.num_failures, requests / span, rates, p95)


def _quantile(times: Counter[int], share: float) -> float:
    return calculate_response_time_percentile(times, times.total(), share) / 1000


def summary(stats: RequestStats, elapsed: float, unfinished: int) -> Summary:
    """Return what came of it: flows first, then requests by path."""
    entries = sorted(
        stats.entries.values(), key=lambda entry: (entry.method != FLOW, entry.name, entry.method)
    )
    errors = sorted(stats.errors.values(), key=lambda error: -error.occurrences)
    return Summary(
        elapsed,
        unfinished,
        [_entry(entry, elapsed) for entry in entries],
        [Problem(error.method, error.name, str(error.error), error.occurrences) for error in errors],
    )


def _entry(entry: StatsEntry, elapsed: float) -> Entry:
    p50, p95, p99 = (entry.get_response_time_percentile(share) / 1000 for share in (0.5, 0.95, 0.99))
    rate = entry.num_requests / elapsed
    size = entry.total_content_length
    return Entry(entry.method, entry.name, entry.num_requests, entry.num_failures, rate, p50, p95, p99, size)


def main() -> None:
    """Run the job that the command line holds as JSON."""
    out, sys.stdout = sys.stdout, sys.stderr
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    Load(Job(**json.loads(sys.argv[1])), out).run()


if __name__ == "__main__":
    main()
