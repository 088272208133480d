"""`lab check` as a user calls it, on a challenge that is not ours."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.command import LAB

from lab.challenges import Challenge, home
from lab.cli import main
from lab.grader.catalogue import checks_of

PATIENCE = 30.0  # seconds until something that should have ended is missed

type Lab = Callable[..., tuple[object, str]]


@pytest.fixture
def folder(tally: Challenge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the learner is; nothing is here yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def lab(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs `lab check` with these arguments; its exit code and what it wrote."""

    def lab(*arguments: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["lab", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out + told.err

    return lab


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["X1", "-e", "reference", "--only", "nothing_is_lost"], 0, "1 of 1 passed"),
        (["tally", "-e", "naive", "--only", "nothing_is_lost"], 1, "6 was added, the total is"),
        (["X1", "-e", "mutant:Late", "--only", "nothing_is_lost"], 1, "mutants.py: before = self.sum"),
        (["X1", "-e", "reference", "--only", "of_weather"], 2, "the sun shone"),
        (["X1", "-e", "reference", "--only", "is_wrong"], 3, "NameError"),
        (["X1", "-e", "reference", "--only", "waits_in_no_time"], 0, "1 of 1 passed"),
        (["X1", "-e", "reference", "--only", "never_is_never"], 1, "two is not three"),
        (["X1", "-e", "reference"], 1, "of 6 passed"),
        (["X1", "-e", "nobody"], 64, "no engine 'nobody'"),
        (["X1", "-e", "mutant:Nobody"], 64, "no mutant 'Nobody'"),
        (["X1", "--only", "nothing_is_lost"], 64, "lab start X1"),
        (["X9"], 64, "X9"),
        (["X1", "-e", "reference", "--only", "nothing"], 64, "no check 'nothing'"),
        (["X1", "--seed", "many"], 64, "--seed"),
        (["X1", "-e", "reference", "--seconds", "inf"], 64, "--seconds"),
    ],
)
def test_exit_codes_and_words(lab: Lab, arguments: list[str], code: int, words: str) -> None:
    ended, told = lab(*arguments)
    assert ended == code, told
    assert words in told
    assert ("Traceback" in told) == ("grader error" in told)


def document(*arguments: str) -> dict[str, Any]:
    """What another process says."""
    asked = ["X1", "-e", "naive", "--json", "--only", "nothing_is_lost", *arguments]
    done = subprocess.run([LAB, "check", *asked], capture_output=True)
    assert done.returncode == 1
    return dict(json.loads(done.stdout))


@pytest.mark.usefixtures("folder")
def test_the_replay_command_shows_the_same_again() -> None:
    first = document("--seed", "5", "--seeds", "3")["checks"][0]
    *_, seed = first["replay"].split()
    assert first["replay"].startswith("lab check X1 --engine naive --only nothing_is_lost --seed ")
    again = document("--seed", seed)["checks"][0]
    assert (again["trace"], again["detail"]) == (first["trace"], first["detail"])
    assert again["trace"]


@pytest.mark.usefixtures("folder")
def test_the_replay_command_takes_as_long() -> None:
    (check,) = document("--seconds", "30")["checks"]
    assert check["replay"].endswith(" --seed 0 --seconds 30")


def test_a_trace_is_kept_beside_the_learners_file(folder: Path) -> None:
    document()
    (saved,) = (folder / "workspace" / "traces").iterdir()
    text = saved.read_text()
    assert "self.sum += amount" in text
    assert "again: lab check X1" in text


def test_a_pass_leaves_nothing_in_the_folder(lab: Lab, folder: Path) -> None:
    assert lab("X1", "-e", "reference", "--only", "starts_at_zero")[0] == 0
    assert list(folder.iterdir()) == []


def test_a_verdict_stands_where_no_trace_can_be_kept(lab: Lab, folder: Path) -> None:
    (folder / "workspace").mkdir()
    (folder / "workspace/traces").write_text("a file, no folder")
    ended, told = lab("X1", "-e", "naive", "--only", "nothing_is_lost")
    assert ended == 1
    assert "0 of 1 passed" in told
    assert f"is not kept in {folder / 'workspace/traces'}: Not a directory." in told


def test_a_challenge_that_cannot_be_imported_is_an_error_of_the_grader(lab: Lab, tally: Challenge) -> None:
    contract = home(tally) / "contract.py"
    text = contract.read_text()
    contract.write_text("import nothing_of_the_kind")
    try:
        ended, told = lab("X1", "-e", "reference", "--only", "starts_at_zero")
    finally:
        contract.write_text(text)
    assert ended == 3
    assert "the challenge cannot be imported" in told


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_leaves_nothing(folder: Path, end: signal.Signals) -> None:
    gate = folder / "gate"
    os.mkfifo(gate)
    (folder / "workspace").mkdir()
    hangs = f"import time\nopen({str(gate)!r}, 'w')\ntime.sleep(1000)\n"
    (folder / "workspace/tally.py").write_text(hangs)
    command = [LAB, "check", "X1", "--only", "starts_at_zero", "--seconds", "600"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        gate.open().close()
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(end)
        try:
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()
    _, left = psutil.wait_procs(below, PATIENCE)
    assert not [one for one in left if one.status() != psutil.STATUS_ZOMBIE]


def test_requirements_are_one_line(tally: Challenge) -> None:
    assert checks_of(tally)[0].requirement == "Every amount that is added is in the total."
