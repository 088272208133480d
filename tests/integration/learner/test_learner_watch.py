"""lab watch at a real terminal: every save is judged, what passed is not judged twice, keys are obeyed at once."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from tests.command import LAB

if TYPE_CHECKING:
    from tests.integration.learner.conftest import Learner, Sit

STUCK = "import time\nopen({gate!r}, 'w')\ntime.sleep(1000)\n"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A pipe: who opens it waits for an engine of `STUCK`, which hangs from then on."""
    os.mkfifo(tmp_path / "gate")
    return tmp_path / "gate"


@pytest.fixture
def starter(learner: "Learner") -> str:
    """The learner has begun; the text of their file."""
    assert learner.run("start", "X1").code == 0
    return learner.file.read_text()


def solved(starter: str) -> str:
    return starter.replace("pass", "self.sum += amount")


def lives(process: psutil.Process) -> bool:
    """Whether it runs; one that is only waiting to be collected does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_from_the_starter_to_a_pass(learner: "Learner", sit: "Sit", starter: str) -> None:
    terminal = sit("watch", "X1")
    terminal.shows("Judging 3", "FAIL", "1 of 3 passed", "2 was added, the total is 0", "quit")
    learner.file.write_text(solved(starter))
    terminal.shows("Judging 3", "3 of 3 passed", "quit")
    terminal.types("q")
    assert terminal.ended() == 0
    told = json.loads(learner.run("progress", "--json").out)
    [tally] = [one for one in told["challenges"] if one["code"] == "X1"]
    assert (tally["state"], tally["checks_passed"], tally["attempts"]) == ("passed", 3, 2)


def test_what_failed_is_judged_first_and_what_passed_not_again(
    learner: "Learner", sit: "Sit", starter: str
) -> None:
    terminal = sit("watch", "X1")
    terminal.shows("1 of 3 passed", "quit")
    terminal.types("q")
    terminal.ended()
    terminal = sit("watch", "X1")
    terminal.shows("1 passed before and did not change.", "Judging 2", "1 of 3 passed", "quit")
    terminal.types("r")
    terminal.shows("Judging 3", "1 of 3 passed", "quit")
    learner.file.write_text(starter + "# only a comment\n")
    terminal.shows("Only comments or spacing changed")


def test_what_has_passed_already_is_said_at_once(learner: "Learner", sit: "Sit", starter: str) -> None:
    learner.file.write_text(solved(starter))
    assert learner.run("check", "X1").code == 0
    terminal = sit("watch", "X1")
    terminal.shows("3 passed before and did not change.", "3 of 3 passed", "quit")
    terminal.types("r")
    terminal.shows("Judging 3", "3 of 3 passed", "quit")


def test_a_file_that_is_no_python_says_where(learner: "Learner", sit: "Sit", starter: str) -> None:
    learner.file.write_text("def tally(:\n")
    terminal = sit("watch", "X1")
    terminal.shows("tally.py", "line 1", "SyntaxError", "quit")
    learner.file.write_text(solved(starter))
    terminal.shows("3 of 3 passed")


def test_h_opens_one_hint_more(learner: "Learner", sit: "Sit", starter: str) -> None:
    terminal = sit("watch", "X1")
    terminal.shows("1 of 3 passed", "quit")
    terminal.types("h")
    terminal.shows("1. Look at add.", "2 more: ask again.")
    terminal.types("h")
    terminal.shows("2. It adds nothing.", "1 more: ask again.")


@pytest.mark.parametrize(
    "pressed", {"Home": "\x1b[H", "F2": "\x1bOQ", "F3": "\x1bOR", "Alt-r": "\x1br"}.items()
)
def test_the_letters_of_other_keys_are_no_keys(
    learner: "Learner", sit: "Sit", starter: str, pressed: tuple[str, str]
) -> None:
    terminal = sit("watch", "X1")
    terminal.shows("1 of 3 passed", "quit")
    terminal.types(pressed[1])
    learner.file.write_text(starter + "# only a comment\n")
    terminal.shows("Only comments or spacing changed")
    terminal.types("q")
    assert terminal.ended() == 0
    tally = json.loads(learner.progress.read_text())["challenges"]["X1"]
    assert (len(tally["attempts"]), tally["hints"]) == (1, {})


def test_what_no_compiler_can_read_is_waited_for(learner: "Learner", sit: "Sit", starter: str) -> None:
    learner.file.write_text("x = a" + ".b" * 100_000)
    terminal = sit("watch", "X1")
    terminal.shows("RecursionError", "quit")
    learner.file.write_text(solved(starter))
    terminal.shows("3 of 3 passed")


def test_verdicts_are_shown_where_progress_cannot_be_kept(
    learner: "Learner", sit: "Sit", starter: str
) -> None:
    learner.file.write_text(solved(starter))
    learner.progress.with_name("progress.json.tmp").mkdir()  # where the next one is written first
    terminal = sit("watch", "X1")
    terminal.shows("Progress cannot be kept", "3 of 3 passed", "quit")
    terminal.types("q")
    assert terminal.ended() == 0


@pytest.mark.parametrize("end", [lambda t: t.types("q"), lambda t: t.process.send_signal(signal.SIGTERM)])
def test_it_ends_at_once_and_leaves_nothing(
    learner: "Learner", sit: "Sit", starter: str, gate: Path, end: Callable[[object], None]
) -> None:
    learner.file.write_text(STUCK.format(gate=str(gate)))
    terminal = sit("watch", "X1")
    terminal.shows("Judging 3")
    here = psutil.Process(terminal.process.pid)
    gate.open().close()
    below = here.children(recursive=True)  # the round, its judge, a check that hangs
    end(terminal)
    assert terminal.ended() == 0
    assert not [process for process in below if lives(process)]
    assert terminal.modes_now() == terminal.modes


def test_a_save_ends_the_round_before(learner: "Learner", sit: "Sit", starter: str, gate: Path) -> None:
    learner.file.write_text(STUCK.format(gate=str(gate)))
    terminal = sit("watch", "X1")
    terminal.shows("Judging 3")
    learner.file.write_text(solved(starter))
    terminal.shows("Judging 3", "3 of 3 passed")


def test_without_a_terminal_it_writes_lines(learner: "Learner", starter: str) -> None:
    learner.file.write_text(solved(starter))
    command = [LAB, "watch", "X1"]
    pipe = subprocess.PIPE
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=buffered) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(7)]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert "\x1b" not in "".join(lines)
    assert lines[-1].startswith("3 of 3 passed in "), lines


def test_without_a_file_it_says_how_to_begin(learner: "Learner") -> None:
    ended = learner.run("watch", "X1")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.strip() == f"There is no {learner.file}: `lab start X1` makes it."
