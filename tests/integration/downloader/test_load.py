"""lab load, the command, on a real service: its figures, its errors, its ends."""

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.command import LAB

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

PROGRAM = (LAB, "load", "downloader")


@dataclass(frozen=True)
class Run:
    """A load: its process, and where its output goes."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def result(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document

    def code(self) -> int:
        return self.process.wait(40)

    def worker(self) -> psutil.Process | None:
        """The process that makes the load, once there is one."""
        assert self.process.poll() is None, f"the load ended early: {self.err}"
        found = psutil.Process(self.process.pid).children(recursive=True)
        return found[0] if found else None

    def told(self, pattern: str) -> bool:
        """Whether it has written that on standard error."""
        assert self.process.poll() is None, f"the load ended early: {self.err}"
        return re.search(pattern, self.err) is not None


type Load = Callable[..., Run]


@pytest.fixture(scope="module")
def load(service: "Downloader", web: "Web", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """A function that starts a load on the service of the module."""
    runs: list[Run] = []
    environment = os.environ | {"DOWNLOADER_URL": service.url, "LAB_ORIGIN_URL": web.url}

    def start(*arguments: str) -> Run:
        folder = tmp_path_factory.mktemp("load")
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            command = [*PROGRAM, "--users", "2", *arguments]
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=out, stderr=err, text=True
            )
        runs.append(Run(process, folder))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None and (worker := run.worker()):
            worker.kill()
        run.process.kill()
        run.process.wait()


def requests_served(service: "Downloader") -> Counter[str]:
    """How often the service says that it answered, by method and path."""
    text = service.ask("GET", "/metrics").body.decode()
    found = re.findall(r'^lab_requests_total{(.*route="(/v1/[^"]*)".*)} (\S+)$', text, re.MULTILINE)
    return Counter({labels: int(float(count)) for labels, _, count in found})


def left(service: "Downloader") -> list[tuple[Any, ...]]:
    """The downloads that are still there, and how they are."""
    return [tuple(one[key] for key in ("url", "state", "error", "finished")) for one in service.all()]


@pytest.fixture(scope="module")
def steady(load: Load, service: "Downloader") -> tuple[Run, Counter[str], float]:
    """A load of a few seconds on a sunny day; and what the service counted: requests, and bytes."""
    before, bytes_before = requests_served(service), service.metric("downloader_received_bytes_total")
    run = load("--seconds", "2", "--json", "--html", "report.html")
    assert run.code() == 0, run.err
    served = requests_served(service) - before
    return run, served, service.metric("downloader_received_bytes_total") - bytes_before


def test_the_service_counted_every_request(steady: tuple[Run, Counter[str], float]) -> None:
    run, served, received = steady
    entries = run.result["entries"]
    to_service = [one for one in entries if one["method"] != "flow" and one["name"].startswith("/v1/")]
    assert sum(one["requests"] for one in to_service) == served.total() > 0
    assert 0 < sum(one["bytes"] for one in entries if one["method"] == "flow") <= received


def test_its_figures_agree_with_each_other(steady: tuple[Run, Counter[str], float]) -> None:
    result = steady[0].result
    assert result["load"]["shape"] == "steady"
    assert (result["ok"], result["errors"], result["unfinished"]) == (True, [], 0)
    assert result["elapsed"] >= 2
    for entry in result["entries"]:
        assert entry["per_second"] == pytest.approx(entry["requests"] / result["elapsed"])
        assert 0 <= entry["p50"] <= entry["p95"] <= entry["p99"]
        assert entry["failures"] == 0
    names = [entry["name"] for entry in result["entries"] if entry["method"] == "flow"]
    assert "download to done" in names
    assert [entry["name"] for entry in result["entries"]][: len(names)] == names, "flows come first"


def test_it_told_how_it_went(steady: tuple[Run, Counter[str], float]) -> None:
    lines = steady[0].err.splitlines()
    progress = [line for line in lines if re.match(r"\d+ of 2 s, users: 2, requests: \d+/s, ", line)]
    assert progress
    assert "\x1b" not in steady[0].err
    assert lines[-1].endswith("report.html")


def test_the_report_has_charts(steady: tuple[Run, Counter[str], float]) -> None:
    text = (steady[0].folder / "report.html").read_text()
    assert "download to done" in text
    history = json.JSONDecoder().raw_decode(text, text.index('"history": ') + len('"history": '))[0]
    assert {2} <= {moment["user_count"][1] for moment in history}


def test_it_left_nothing_behind(steady: tuple[Run, Counter[str], float], service: "Downloader") -> None:
    assert steady[0].out
    assert left(service) == []


def test_errors_are_counted_by_kind(load: Load, web: "Web", service: "Downloader") -> None:
    web.faults(status=404)
    run = load("--seconds", "1", "--json")
    assert run.code() == 1, run.err
    result = run.result
    assert not result["ok"]
    failures = {(one["method"], one["name"]): one["failures"] for one in result["entries"] if one["failures"]}
    assert {(one["method"], one["name"]): one["count"] for one in result["errors"]} == failures
    errors = {one["error"] for one in result["errors"] if one["name"] == "download to done"}
    assert len(errors) == 1
    assert errors.pop().startswith("the download failed: ")
    assert left(service) == []


def test_off_a_terminal_the_tables_are_plain(load: Load, web: "Web") -> None:
    web.faults(status=404)
    run = load("--seconds", "1", "--shape", "ramp")
    assert run.code() == 1
    assert re.search(r"^download to done +(\d+) +\1 ", run.out, re.MULTILINE), run.out
    assert re.search(r"^the download failed: .+ download to done +\d+$", run.out, re.MULTILINE), run.out
    assert re.search(r"^\d+ requests in \d+\.\d s \(\d+ a second\), \d+ errors?\.", run.out, re.MULTILINE)
    assert not re.search("[\x1b│┃━]", run.out)


def under_way(run: Run, patience: Callable[..., Any]) -> psutil.Process:
    """Wait until the load has begun; the process that makes it."""
    patience(lambda: run.told("users: 2"))
    worker = run.worker()
    assert worker
    return worker


def is_awaited(download: dict[str, Any]) -> bool:
    """Whether its visit goes on until it ends: who changes their mind, and cancels, does so with one of 8 MiB."""
    return "/8MiB/" not in download["url"]


def test_ctrl_c_ends_it_and_tells_what_there_was(
    load: Load, web: "Web", service: "Downloader", patience: Callable[..., Any]
) -> None:
    run = load("--seconds", "3600")
    worker = under_way(run, patience)
    web.faults(stall=1)  # so that there are visits which do not end by themselves
    before = {one["id"] for one in service.all()}
    patience(lambda: any(one["id"] not in before and is_awaited(one) for one in service.all()))
    run.process.send_signal(signal.SIGINT)
    assert run.code() == 130
    assert re.search(r"^\d+ requests in .*, no errors\. Cut short .*: \d visits?\.$", run.out, re.MULTILINE)
    assert "Traceback" not in run.err
    assert not worker.is_running()
    assert left(service) == [], "visits that were cut short deleted theirs"


def test_ctrl_c_before_anything_was_asked(load: Load, patience: Callable[..., Any]) -> None:
    run = load("--seconds", "3600")
    worker = patience(run.worker)
    patience(lambda: worker.cpu_times().user > 0.1)  # it is importing
    run.process.send_signal(signal.SIGINT)
    assert run.code() == 130
    assert "exit code" not in run.err
    assert "Traceback" not in run.err
    assert not worker.is_running()


def test_its_worker_does_not_outlive_it(
    load: Load, service: "Downloader", patience: Callable[..., Any]
) -> None:
    run = load("--seconds", "3600")
    worker = under_way(run, patience)
    run.process.kill()
    try:
        worker.wait(20)
    except psutil.TimeoutExpired:
        worker.kill()
        raise
    assert left(service) == []


def test_a_service_that_dies_is_told_as_no_answer(
    load: Load, service: "Downloader", patience: Callable[..., Any]
) -> None:
    run = load("--seconds", "3600", "--json")
    under_way(run, patience)
    service.kill()
    try:
        patience(lambda: run.told("failures: [1-9]"))
        run.process.send_signal(signal.SIGINT)
        assert run.code() == 130
        errors = {problem["error"] for problem in run.result["errors"]}
        assert errors
        assert all(error.startswith("no answer: ") for error in errors)
    finally:
        service.start()
