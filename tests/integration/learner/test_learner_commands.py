"""start, hint, solution, check and progress, as a learner types them."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.learner.conftest import Learner, Sit


def test_start_copies_the_starter_and_shows_the_brief(learner: "Learner") -> None:
    ended = learner.run("start", "x1")
    assert ended.code == 0
    assert learner.file.read_text() == (learner.site / "tally/starter.py").read_text()
    assert ended.out.startswith("# X1: tally\n")
    assert f"{learner.file} is made from the starter." in ended.out


def test_the_brief_is_rendered_at_a_terminal(sit: "Sit") -> None:
    terminal = sit("start", "X1")
    terminal.shows("X1: tally", "Count \x1b[3meverything", "is made from the starter")
    assert terminal.ended() == 0


def test_the_brief_of_an_installed_package_is_its_description(learner: "Learner") -> None:
    (learner.site.parent / "README.md").unlink()
    assert learner.run("start", "X1").out.startswith("# As installed\n")


def test_start_never_overwrites(learner: "Learner") -> None:
    learner.run("start", "X1")
    learner.file.write_text("mine")
    ended = learner.run("start", "tally")
    assert ended.code == 0
    assert learner.file.read_text() == "mine"
    assert "was there already and stays as it is" in ended.out


def test_start_again_keeps_every_copy(learner: "Learner") -> None:
    learner.run("start", "X1")
    for text in ("first", "second"):
        learner.file.write_text(text)
        assert learner.run("start", "X1", "--again").code == 0
    starter = (learner.site / "tally/starter.py").read_text()
    kept = {path.name: path.read_text() for path in learner.workspace.iterdir()}
    assert kept == {"tally.py": starter, "tally.py.1": "first", "tally.py.2": "second"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["start", "talyl"], 64, "There is no challenge 'talyl': did you mean 'tally'?"),
        (["start", "P1"], 1, "P1 (Concurrency profiler) is still to come; here are: T1, "),
        *(
            ([command, "P1"], 64 if command == "check" else 1, "P1 (Concurrency profiler) is still to come")
            for command in (
                "check",
                "compare",
                "experiment",
                "load",
                "use",
                "watch",
                "hint",
                "solution",
                "bench",
            )
        ),
        (["check", "X1", "--only", "add_up"], 64, "X1 has no check 'add_up': did you mean 'adds_up'?"),
        (["check", "X1", "-e", "referense"], 64, "There is no engine 'referense': did you mean 'reference'?"),
        (["check", "T1", "-e", "mutant:nojiter"], 64, "T1 has no mutant 'nojiter': did you mean 'NoJitter'?"),
        (["hint", "X1", "add_up"], 64, "X1 has no check 'add_up': did you mean 'adds_up'?"),
        (
            ["hint", "X1", "goes_on"],
            1,
            "X1 has no hint for goes_on. It asks for this: Two amounts make a sum.",
        ),
        (["solution", "X1"], 1, "has not passed yet"),
        (["progress", "reset"], 64, "add --yes where nobody can be asked"),
        (["progress", "import", "nowhere.json"], 1, "nowhere.json cannot be read: No such file"),
        (["use", "tally", "mien"], 64, "'mien' is not one of 'reference', 'naive', 'mine'"),
        (["fault", "orign"], 64, "There is no service 'orign': did you mean 'origin'?"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    learner: "Learner", arguments: list[str], code: int, words: str
) -> None:
    ended = learner.run(*arguments)
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err
    assert "Traceback" not in ended.err


def test_hints_come_one_at_a_time_and_are_remembered(learner: "Learner") -> None:
    shown = [json.loads(learner.run("hint", "X1", "adds_up", "--json").out)["texts"] for _ in range(4)]
    assert shown == [
        ["Look at add."],
        ["Look at add.", "It adds nothing."],
        ["Look at add.", "It adds nothing.", "self.sum += amount"],
        ["Look at add.", "It adds nothing.", "self.sum += amount"],
    ]
    assert "There is no further hint." in learner.run("hint", "X1", "adds_up", "--again").out


def test_a_hint_is_for_the_first_check_that_failed(learner: "Learner") -> None:
    learner.run("start", "X1")
    assert "starts_at_zero" in learner.run("hint", "X1").err, "nothing was judged: the first check"
    assert learner.run("check", "X1").code == 1
    assert learner.run("hint", "X1").out.startswith(
        "adds_up  What was added is the total.\n  1. Look at add."
    )


def test_the_solution_comes_after_a_pass_or_as_a_spoiler(learner: "Learner") -> None:
    reference = (learner.site / "tally/engine.py").read_text()
    assert reference in learner.run("solution", "X1", "--spoil").out
    told = json.loads(learner.run("progress", "--json").out)["challenges"]
    assert [one["code"] for one in told if one["solution_seen"]] == ["X1"]

    learner.run("progress", "reset", "X1", "--yes")
    learner.run("start", "X1")
    learner.file.write_text(reference)
    assert learner.run("check", "X1").code == 0
    assert reference in learner.run("solution", "X1").out


def test_check_remembers_what_it_found(learner: "Learner") -> None:
    learner.run("start", "X1")
    assert learner.run("check", "X1").code == 1
    [tally] = [
        one for one in json.loads(learner.run("progress", "--json").out)["challenges"] if one["attempts"]
    ]
    assert (tally["code"], tally["state"], tally["checks_passed"], tally["checks"]) == ("X1", "started", 1, 3)
    assert learner.run("check", "X1", "--engine", "reference").code == 0
    [tally] = [
        one for one in json.loads(learner.run("progress", "--json").out)["challenges"] if one["attempts"]
    ]
    assert (tally["attempts"], tally["state"]) == (1, "started"), "only the learner's own engine counts"


def test_progress_is_shown_beside_a_challenge_that_is_being_written(learner: "Learner") -> None:
    checks = learner.site / "tally/checks/test_tally.py"
    checks.write_text("def test_(:\n")
    told = learner.run("progress")
    assert (told.code, told.err) == (0, "")
    assert "X1  Tally" in told.out
    assert f"{checks}:1 is no Python" in learner.run("check", "X1").err


def test_a_verdict_stands_where_progress_cannot_be_kept(
    learner: "Learner", monkeypatch: pytest.MonkeyPatch
) -> None:
    learner.run("start", "X1")
    learner.progress.parent.joinpath("file").touch()
    monkeypatch.setenv("LAB_PROGRESS", str(learner.progress.parent / "file/progress.json"))
    ended = learner.run("check", "X1", "--engine", "mine", "--only", "starts_at_zero")
    assert ended.code == 0
    assert "Progress cannot be kept" in ended.err


def test_progress_goes_from_one_machine_to_another(learner: "Learner", sit: "Sit") -> None:
    learner.run("start", "X1")
    learner.run("check", "X1")
    exported = learner.progress.parent / "exported.json"
    assert learner.run("progress", "export", str(exported)).code == 0
    assert "is there already" in learner.run("progress", "export", str(exported)).err
    before = learner.run("progress", "--json").out
    assert learner.run("progress", "export", "-").out == exported.read_text()

    terminal = sit("progress", "reset")
    terminal.shows("Forget everything you have done? [y/N]")
    terminal.types("y\r")
    assert terminal.ended() == 0
    assert learner.run("progress", "--json").out != before

    for _ in range(2):
        assert learner.run("progress", "import", "-", text=exported.read_text()).code == 0
        assert learner.run("progress", "--json").out == before


def test_the_shell_completes_challenges(learner: "Learner", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_LAB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("COMP_WORDS", "lab start ")
    assert {"T1", "downloader", "X1", "tally"} <= set(learner.run().out.split())
    monkeypatch.setenv("COMP_WORDS", "lab start d")
    assert learner.run().out.split() == ["downloader"]
