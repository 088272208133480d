"""The command line itself: mistakes are told in a sentence, and every command shows an example."""

import json
import sys
from pathlib import Path

import pytest

from lab.cli import main
from lab.supervisor.commands import find


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["lab", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    told = capsys.readouterr()
    return ended.value.code, " ".join((told.out + told.err).replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sttus"], 64, "Did you mean 'status'"),
        (["up", "--detahc"], 64, "--detach"),
        (["logs", "-n", "many"], 64, "--lines"),
        (["logs", "-n", "-1"], 64, "--lines"),
        (["up", "--file", "none.yaml"], 1, "There is no none.yaml"),
    ],
)
def test_mistakes_are_told(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    ended, told = run(capsys, *arguments)
    assert ended == code
    assert words in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", ["up", "down", "status", "logs"])
def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, told = run(capsys, command, "--help")
    assert code == 0
    assert f"Example: lab {command}" in told


def test_status_without_a_lab(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compose.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "status") == (1, "No lab is running here. Start it with: lab up")
    code, told = run(capsys, "status", "--json")
    assert (code, json.loads(told)) == (1, {"status": "stopped", "components": []})


def test_the_nearest_file_upwards_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    (tmp_path / "compose.yaml").touch()
    monkeypatch.chdir(below)
    assert find(None) == tmp_path / "compose.yaml"
    (tmp_path / "a/compose.yaml").touch()
    assert find(None) == tmp_path / "a/compose.yaml"
    assert find(Path("../../compose.yaml")) == tmp_path / "compose.yaml"
