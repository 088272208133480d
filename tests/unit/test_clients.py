"""What services bring along becomes commands, and is imported when it runs."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lab import clients


def test_a_client_gets_its_arguments_and_is_not_imported_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strangers_client.py").write_text("def main(arguments):\n    print('got', arguments)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = typer.Typer()
    app.command("other")(lambda: None)
    clients.register(app, [EntryPoint("talk", "strangers_client:main", clients.GROUP)])
    assert "strangers_client" not in sys.modules
    assert "strangers_client" in CliRunner().invoke(app, ["--help"]).output
    ended = CliRunner().invoke(app, ["talk", "--name", "ann", "--help", "tea"])
    assert (ended.exit_code, ended.output) == (0, "got ['--name', 'ann', '--help', 'tea']\n")
