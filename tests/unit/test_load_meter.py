"""What is read from Locust's counters. In a process of its own: importing Locust changes the one it is in."""

import subprocess
import sys

import pytest

from lab.load.reports import FLOW, Entry, Problem, Progress, Summary, decode

SCRIPT = f"""
from lab.load.worker import Meter, summary
from lab.load.reports import encode
from locust.stats import RequestStats

stats, meter = RequestStats(), Meter(60)
def log(method, name, times, size=0, error=None):
    for milliseconds in times:
        stats.log_request(method, name, milliseconds, size)
        if error:
            stats.log_error(method, name, error)

log("GET", "/a", range(1, 101))
log({FLOW!r}, "job", [400] * 4, size=1000)
print(encode(meter.read(stats, 2.0, 5)))
log({FLOW!r}, "job", [20] * 39, size=1000)
log({FLOW!r}, "job", [50], error="lost")
log("POST", "/b", [1, 1, 1], error="status 500")
print(encode(meter.read(stats, 4.0, 6)))
print(encode(meter.read(stats, 5.0, 6)))
print(encode(summary(stats, 10.0, 3)))
"""


@pytest.fixture(scope="module")
def reports() -> list[Progress | Summary]:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return [decode(line) for line in done.stdout.splitlines()]


def test_progress_is_about_the_time_since_the_last_report(reports: list[Progress | Summary]) -> None:
    assert reports[:3] == [
        Progress(2.0, 60, 5, failures=0, requests=50.0, flows={"job": 2.0}, p95={"job": 0.4}),
        Progress(4.0, 60, 6, failures=4, requests=1.5, flows={"job": 20.0}, p95={"job": 0.02}),
        Progress(5.0, 60, 6, failures=4, requests=0.0, flows={"job": 0.0}, p95={}),
    ]


def test_the_summary_is_about_all_of_it(reports: list[Progress | Summary]) -> None:
    [summary] = reports[3:]
    assert isinstance(summary, Summary)
    assert (summary.elapsed, summary.unfinished) == (10.0, 3)
    assert summary.entries == [
        Entry(FLOW, "job", 44, 1, 4.4, 0.02, 0.4, 0.4, 43000),
        Entry("GET", "/a", 100, 0, 10.0, 0.051, 0.096, 0.1, 0),
        Entry("POST", "/b", 3, 3, 0.3, 0.001, 0.001, 0.001, 0),
    ]
    assert summary.errors == [Problem("POST", "/b", "status 500", 3), Problem(FLOW, "job", "lost", 1)]
