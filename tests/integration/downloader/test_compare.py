"""lab compare on a service that runs: what it measures, and that the engine before runs again afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.cli import main
from lab.compare.rounds import compare
from lab.learner.live import Live
from lab.load.reports import Job, Progress

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

BRIEF = ("--rounds", "1", "--seconds", "1", "--users", "2")


def engine_of(service: "Downloader") -> str:
    return str(service.ask("GET", "/lab/engine").body["engine"])


@pytest.fixture(autouse=True)
def _places(service: "Downloader", web: "Web", monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DOWNLOADER_URL", service.url)
    monkeypatch.setenv("LAB_ORIGIN_URL", web.url)
    monkeypatch.setenv("LAB_WORKSPACE", str(service.workspace))
    service.ask("PUT", "/lab/engine", {"engine": "naive"})
    yield
    service.ask("PUT", "/lab/engine", {"engine": "reference"})


def test_each_engine_is_measured_and_what_cannot_run_is_told(
    service: "Downloader",
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (service.workspace / "downloader.py").write_text("import no_such_module\n")
    png = tmp_path / "chart.png"
    monkeypatch.setattr(sys, "argv", ["lab", "compare", "T1", *BRIEF, "--json", "--png", str(png)])
    with pytest.raises(SystemExit) as ended:
        main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1
    assert list(found["left_out"]) == ["mine"]
    assert "No module named 'no_such_module'" in found["left_out"]["mine"]
    assert set(found["engines"]) == {"naive", "reference"}
    for engine in found["engines"].values():
        assert set(engine) >= {
            "throughput",
            "p95",
            "errors",
            "retries",
            "memory",
            "context switches",
            "CPU time",
        }
        assert engine["throughput"]["median"] > 0
        assert engine["memory"]["median"] > 10  # MiB: less holds no interpreter
        assert engine["context switches"]["median"] > 0
        assert engine["errors"]["median"] == 0
    assert found["counted"] == "download to done"
    assert found["engines"]["reference"]["throughput"]["ratio"] == 1
    assert png.read_bytes().startswith(b"\x89PNG")
    assert engine_of(service) == "naive"


def test_an_engine_that_goes_away_meanwhile_is_not_measured_as_another(
    service: "Downloader", web: "Web"
) -> None:
    def show(what: str, now: Progress) -> None:
        if what.endswith("reference"):
            service.ask("PUT", "/lab/engine", {"engine": "naive"})

    job = Job("downloader", service.url, web.url, "steady", 2, 2.0, 1)
    found = compare(Live("downloader", service.url, "T1"), job, ["reference"], 2, show)
    assert not found.samples
    assert found.left_out == {"reference": "downloader went over to naive by itself."}
    assert engine_of(service) == "naive"


def test_after_an_end_from_outside_the_engine_before_runs_again(
    service: "Downloader", patience: Callable[..., Any]
) -> None:
    command = [sys.executable, "-m", "lab", "compare", "T1", "--engines", "reference", "--seconds", "30"]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        patience(lambda: engine_of(service) == "reference")
        process.terminate()
        assert process.wait(20) == 130
        assert engine_of(service) == "naive"
    finally:
        process.kill()
        process.wait()


def test_a_failure_midway_goes_back_too(service: "Downloader", web: "Web") -> None:
    def show(what: str, now: Progress) -> None:
        if what.endswith("reference"):
            raise RuntimeError("the screen is gone")

    job = Job("downloader", service.url, web.url, "steady", 2, 5.0, 1)
    with pytest.raises(RuntimeError, match="the screen is gone"):
        compare(Live("downloader", service.url, "T1"), job, ["reference"], 1, show)
    assert engine_of(service) == "naive"
