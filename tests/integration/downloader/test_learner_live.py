"""lab use and lab fault, on a service and an origin that run."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from lab.cli import main

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, StartDownloader, Web

MIB = 1024 * 1024
MINE = "from downloader.naive import DownloadManager as Naive\nclass DownloadManager(Naive): ...\n"
type Run = Callable[..., tuple[object, str, str]]


@pytest.fixture(scope="module")
def service(start_downloader: "StartDownloader") -> "Downloader":
    """A service that drains its engine for a moment only, so that a switch hands something over."""
    return start_downloader(lab_grace=0.2)


@pytest.fixture
def run(
    service: "Downloader",
    web: "Web",
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Run]:
    """Runs the command line; gives exit code, output and what was said on standard error."""
    monkeypatch.setenv("DOWNLOADER_URL", service.url)
    monkeypatch.setenv("LAB_ORIGIN_URL", web.url)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    yield run
    service.ask("PUT", "/lab/engine", {"engine": "reference"})
    service.ask("PUT", "/lab/faults", {"faults": {}})


def test_there_and_back_says_what_was_handed_over(run: Run, service: "Downloader", web: "Web") -> None:
    assert run("use", "T1") == (0, "downloader runs reference.\n", "")
    web.faults(bandwidth=MIB)
    [one] = service.create(web.file("large", 64 * MIB))
    service.in_state(one, "active")
    assert run("use", "downloader", "naive") == (
        0,
        "downloader now runs naive; 1 unfinished job was handed over.\n",
        "",
    )
    assert json.loads(run("use", "T1", "--json")[1])["engine"] == "naive"
    service.ask("POST", f"/v1/downloads/{one}/cancel")
    service.in_state(one, "cancelled")
    told = run("use", "t1", "reference")
    assert told == (0, "downloader now runs reference; there was no unfinished job to hand over.\n", "")


def test_my_engine_runs_in_the_service(run: Run, service: "Downloader") -> None:
    (service.workspace / "downloader.py").write_text(MINE)
    code, out, _ = run("use", "downloader", "mine")
    assert (code, out.split(";")[0]) == (0, "downloader now runs mine")
    assert service.ask("GET", "/lab/engine").body["engine"] == "mine"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def DownloadManager(:\n", 'downloader.py", line 1'),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("class DownloadManager: ...\n", "TypeError: DownloadManager() takes no arguments"),
    ],
)
def test_an_engine_that_cannot_run_is_shown_as_the_python_error(
    run: Run, service: "Downloader", source: str, words: str
) -> None:
    (service.workspace / "downloader.py").write_text(source)
    code, out, told = run("use", "downloader", "mine")
    assert (code, out) == (1, "")
    assert told.startswith("downloader cannot run mine, and goes on with the one before:\n")
    assert words in told
    assert run("use", "downloader")[1] == "downloader runs reference.\n", "the old one goes on"


def test_without_a_file_it_says_where_it_looked(run: Run, service: "Downloader") -> None:
    (service.workspace / "downloader.py").unlink(missing_ok=True)
    code, _, told = run("use", "downloader", "mine")
    assert code == 1
    assert f"{service.workspace / 'downloader.py'} does not exist" in told


def test_faults_are_listed_with_what_they_do(run: Run) -> None:
    code, out, _ = run("fault", "origin")
    assert code == 0
    assert "drop-after" in out
    assert "Nothing goes wrong on purpose at origin." in out
    listed = json.loads(run("fault", "T1", "--json")[1])
    assert all(
        {"magnitude", "unit", "maximum", "description", "fired"} <= set(one) for one in listed.values()
    )
    assert listed


def magnitudes(run: Run, name: str) -> dict[str, float]:
    found = json.loads(run("fault", name, "--json")[1])
    return {fault: told["magnitude"] for fault, told in found.items() if told["magnitude"]}


def test_one_fault_leaves_the_others(run: Run) -> None:
    assert run("fault", "origin", "drop-after=0.2") == (0, "On at origin: drop-after=0.2.\n", "")
    assert run("fault", "origin", "latency", "error-rate=0.5", "--seed", "7")[0] == 0
    assert magnitudes(run, "origin") == {"drop-after": 0.2, "latency": 0.1, "error-rate": 0.5}
    assert run("fault", "origin", "drop-after=off", "latency=0")[0] == 0
    assert magnitudes(run, "origin") == {"error-rate": 0.5}
    assert run("fault", "origin", "off") == (0, "Nothing goes wrong on purpose at origin.\n", "")
    assert magnitudes(run, "origin") == {}


def test_a_fault_of_a_service(run: Run) -> None:
    name = next(iter(json.loads(run("fault", "downloader", "--json")[1])))
    assert run("fault", "downloader", f"{name}=0.01")[0] == 0
    assert magnitudes(run, "downloader") == {name: 0.01}
    code, _, told = run("fault", "downloader", name)
    assert code == 64
    assert f"{name} needs a number from 0 to" in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["origin", "drop-aftr=0.2"], "There is no fault 'drop-aftr': did you mean 'drop-after'?"),
        (["origin", "drop-after=much"], "drop-after needs a number from 0 to"),
        (["origin", "error-rate=2"], "error-rate cannot be 2.0"),
        (["downloader", "--seed", "7"], "--seed is for the origin"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(run: Run, arguments: list[str], words: str) -> None:
    run("fault", "origin", "latency=0.1")
    code, out, told = run("fault", *arguments)
    assert (code, out) == (64, "")
    assert words in told
    assert magnitudes(run, "origin") == {"latency": 0.1}


def test_who_does_not_run_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_ORIGIN_URL", "http://127.0.0.1:9")
    code, out, told = run("fault", "origin")
    assert (code, out) == (1, "")
    assert told.startswith("origin does not answer at http://127.0.0.1:9")
    assert told.endswith("start it with `lab up`.\n")
