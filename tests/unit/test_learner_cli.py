"""The commands as they are listed: an example in each, and nothing imported that only a few of them need."""

import subprocess
import sys

import pytest

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


def test_help_is_quick_for_it_imports_little() -> None:
    code = f"""
import sys
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
