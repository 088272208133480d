"""lab compare on a service that runs: what it measures, and that the engine before runs again afterwards."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.command import LAB

from lab.cli import main
from lab.compare.rounds import compare
from lab.learner.live import Live
from lab.load.reports import Job

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

BLOCKING = """
import threading
from downloader.naive import DownloadManager as Naive

class DownloadManager(Naive):
    def submit(self, job):
        threading.Event().wait()
"""
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


def test_an_engine_that_blocks_the_service_is_left_out_and_the_rest_goes_on(
    service: "Downloader", web: "Web"
) -> None:
    (service.workspace / "downloader.py").write_text(BLOCKING)
    job = Job("downloader", service.url, web.url, "steady", 2, 1.0, 1)
    live = Live("downloader", service.url, "T1")
    found = compare(live, job, ["mine", "reference"], 1, lambda what, now: None)
    assert found.left_out["mine"].startswith(
        "downloader went over to reference by itself. the engine blocked"
    )
    assert "downloader.py" in found.left_out["mine"]
    assert found.engines == ["reference"]
    assert engine_of(service) == "naive"


def test_after_an_end_from_outside_the_engine_before_runs_again(
    service: "Downloader", patience: Callable[..., Any]
) -> None:
    command = [LAB, *["compare", "T1", "--engines", "reference", "--seconds", "2", "--rounds", "50"]]
    process = subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        patience(lambda: engine_of(service) == "reference")
        process.terminate()
        assert process.wait(20) == 130
        assert engine_of(service) == "naive"
    finally:
        process.kill()
        process.wait()
