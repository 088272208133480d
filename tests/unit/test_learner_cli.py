"""The commands as they are listed: an example in each, and nothing imported that only a few of them need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.command import LAB

from lab.cli import app, main

HEAVY = {"rich", "aiohttp", "locust", "pydantic", "pytest", "questionary", "matplotlib", "psutil", "yaml"}
COMMANDS = [
    *(command.name or command.callback.__name__ for command in app.registered_commands if command.callback),
    *("progress", "progress export", "progress import", "progress reset"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lab", *command.split(), "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert f"Example: lab {command}" in capsys.readouterr().out


def test_what_a_command_is_for_fits_on_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lab", "--help"])
    with pytest.raises(SystemExit):
        main()
    _, _, listed = capsys.readouterr().out.partition("Commands:")
    assert "start" in listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_help_is_quick_for_it_imports_little() -> None:
    code = f"""
import sys
from pathlib import Path
from lab.cli import main
sys.argv = ["lab", "--help"]
try:
    main()
except SystemExit:
    print({HEAVY!r} & set(sys.modules), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "progress" in ended.stdout
    assert ended.stderr == "set()\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("check T", {"T1", "T2"}),
        ("check T1 --only retr", {"retries_back_off", "retry_after_is_obeyed"}),
        ("check --only retr", set()),
        ("check T1 --engine na", {"naive"}),
        ("check T1 --engine mutant:No", {"mutant:NoJitter"}),
        ("hint downloader a_404", {"a_404_is_final"}),
        ("experiment T1 wo", {"workers"}),
        ("experiment T9 wo", set()),
        ("bench T1 pe", {"peers"}),
        ("progress reset T1", {"T1"}),
        ("fault ori", {"origin"}),
    ],
)
def test_the_shell_completes(
    typed: str, offered: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lab"])
    monkeypatch.setenv("_LAB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"lab {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, set(capsys.readouterr().out.split())) == (0, offered)


def test_a_terminal_that_has_no_such_character_ends_nothing(tmp_path: Path) -> None:
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    own = {"LAB_WORKSPACE": str(tmp_path), "LAB_PROGRESS": str(tmp_path / "progress.json")}
    ended = subprocess.run(
        [LAB, "start", "T1"], env=os.environ | ascii_only | own, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "is made from the starter" in ended.stdout
