"""lab load, as somebody types it who gets it wrong."""

import socket
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from lab import LabError, WrongUsage
from lab.challenges import GROUP, Challenge, find, installed
from lab.cli import main

KNOWN = [Challenge("T1", "A", "Threading", "downloader"), Challenge("T2", "B", "Threading", "log_pipeline")]
type Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line; gives exit code, output, and what was said on standard error, on one line."""

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, " ".join(told.err.replace("│", " ").split())

    return run


@pytest.mark.parametrize("name", ["T2", "t2", "log-pipeline", "log_pipeline", "Log-Pipeline"])
def test_a_challenge_has_three_names_in_any_case(name: str) -> None:
    assert find(name, KNOWN).code == "T2"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("log-pipline", "did you mean 'log-pipeline'?"),
        ("dwonloader", "did you mean 'downloader'?"),
        ("Q9", "there are T1 (downloader), T2 (log-pipeline)."),
    ],
)
def test_a_wrong_name_gets_the_nearest_or_all(name: str, hint: str) -> None:
    with pytest.raises(WrongUsage) as told:
        find(name, KNOWN)
    assert str(told.value) == f"There is no challenge {name!r}: {hint}"


def test_what_is_installed_and_cannot_be_read_is_named() -> None:
    entry = EntryPoint("X1", "json", GROUP)
    with pytest.raises(LabError, match="The challenge X1 cannot be read from 'json': FileNotFoundError"):
        installed([entry])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dwonloader"], "There is no challenge 'dwonloader': did you mean 'downloader'?"),
        (["T1", "--shape", "spkie"], "'spkie' is not one of 'steady', 'spike', 'ramp'"),
        (["T1", "--users", "0"], "--users"),
        (["T1", "--seconds", "inf"], "--seconds"),
        (["T1", "--html", "no/where/report.html"], "there is no folder"),
        (["T1", "--html", "."], "cannot be written"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_is_told_and_exits_64(run: Run, arguments: list[str], words: str) -> None:
    code, out, told = run("load", *arguments)
    assert code == 64
    assert words in told
    assert "Traceback" not in told
    assert out == ""


def test_a_service_that_does_not_run_is_one_sentence_and_exit_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_ORIGIN_URL", "http://127.0.0.1:9")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DOWNLOADER_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        code, out, told = run("load", "downloader")
    assert (code, out) == (1, "")
    assert told.startswith("downloader does not answer at http://127.0.0.1:")
    assert told.endswith("start it with `lab up`, or say where it is with DOWNLOADER_URL.")


def test_help_has_an_example(run: Run) -> None:
    code, out, _ = run("load", "--help")
    assert code == 0
    assert "Example: lab load T1 --shape spike" in out
