"""The menu at a real terminal, by keyboard alone."""

from typing import TYPE_CHECKING

import pytest

from lab.challenges import installed
from lab.learner.menu import _described
from lab.learner.syllabus import named

if TYPE_CHECKING:
    from tests.integration.learner.conftest import Learner, Sit

HERE = [challenge.category for challenge in installed()]  # and X1, the learner's own
BEFORE_X1 = HERE.count("Threading")
DOWN, ENTER, ESCAPE, CTRL_C = "\x1b[B", "\r", "\x1b", "\x03"


@pytest.mark.parametrize("columns", [80, 120])
def test_the_path_by_category_with_what_is_next(sit: "Sit", columns: int) -> None:
    terminal = sit(columns=columns)
    terminal.shows(
        "Next: T1.", "Threading", "T1", "2 h", "●●●●○", "new", "X1", "Tally", "10 min", "●○○○○", "new"
    )


def test_a_window_of_hardly_any_width_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "3")
    assert "locks and" in _described(named("T1"))


@pytest.mark.parametrize("key", ["q", ESCAPE, CTRL_C])
def test_it_is_left_by_one_key(sit: "Sit", key: str) -> None:
    terminal = sit()
    terminal.shows("leaves", "Decision")
    terminal.types(key)
    assert terminal.ended() == 0
    assert terminal.modes_now() == terminal.modes


def test_a_challenge_is_begun_from_it(learner: "Learner", sit: "Sit") -> None:
    terminal = sit()
    terminal.shows("leaves", "Decision")
    terminal.types(DOWN * BEFORE_X1 + ENTER)
    terminal.shows("X1 Tally", "about 10 min; of 5: threading 1", "counting", "lab start X1", "lab progress")
    terminal.types(ENTER)
    terminal.shows("$ lab start X1", "X1: tally", "lab watch X1", "any key goes back")
    assert learner.file.is_file()
    terminal.types("x")
    terminal.shows("X1 Tally", "lab progress")
    terminal.types("q")
    terminal.shows("Next: X1.", "X1", "0 of 3")
    terminal.types("q")
    assert terminal.ended() == 0


def test_what_is_to_come_cannot_be_chosen(sit: "Sit") -> None:
    terminal = sit()
    terminal.shows("P1", "(coming)", "D2", "(coming)")
    terminal.types(DOWN * (len(HERE) + 1) + ENTER)  # past what is to come, and round to the first one again
    terminal.shows("T1 Thread-safe", "lab start T1")


def test_without_a_terminal_it_is_a_table(learner: "Learner") -> None:
    ended = learner.run()
    assert ended.code == 0
    assert "T1  Thread-safe download manager     new" in ended.out
    assert "P1  Concurrency profiler             coming" in ended.out
    assert "`lab --help` lists the commands." in ended.out
