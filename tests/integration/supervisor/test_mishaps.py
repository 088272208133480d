"""What the supervisor's user may do to it: nohup, a removed folder, a damaged state, Ctrl-C at a bad moment."""

import signal
import urllib.request
from http.client import HTTPException
from typing import TYPE_CHECKING

import pexpect
import pytest
from tests.command import LAB

if TYPE_CHECKING:
    from tests.integration.supervisor.conftest import Lab

NEVER_READY = """
services:
  base:
    command: [python, -c, "import signal; signal.pause()"]
    ports: ["127.0.0.1:${BASE_PORT:-8001}:8000"]
"""


def test_a_lab_under_nohup_outlives_its_terminal(lab: "Lab") -> None:
    lab.program = ("nohup", LAB)
    process = lab.up()
    process.send_signal(signal.SIGHUP)
    assert lab.run("status")[0] == 0
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0
    assert lab.processes() == []


def test_a_component_is_started_again_though_somebody_removed_the_logs(lab: "Lab") -> None:
    lab.up()
    lab.home.log("base").unlink()
    lab.home.log("user").unlink()
    lab.home.log("lab").unlink(missing_ok=True)
    lab.home.logs.rmdir()
    with pytest.raises((OSError, HTTPException)):
        urllib.request.urlopen(lab.component("user")["address"] + "/crash", timeout=5)
    lab.eventually(lambda: "user is ready again." in lab.output())
    assert lab.home.log("user").read_text() == "listening\n"


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_damaged_state_is_told_with_what_to_do(lab: "Lab", command: str) -> None:
    lab.home.logs.mkdir(parents=True)
    lab.home.state.write_text('{"version": 1, "comp')
    code, told = lab.run(command)
    assert code == 1
    assert told.startswith(f"{lab.home.state} is damaged, or was written by another version of the lab")
    assert "if none runs, delete the file." in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("up",), ("up", "--detach"), ("down",), ("status",)])
def test_a_folder_that_cannot_be_used_is_told(lab: "Lab", arguments: tuple[str, ...]) -> None:
    lab.home.folder.write_text("no folder")
    code, told = lab.run(*arguments)
    assert code == 1
    assert "Not a directory. What the lab keeps is in" in told
    assert len(told.splitlines()) == 1


def test_a_file_that_is_no_text_is_told(lab: "Lab") -> None:
    (lab.folder / "compose.yaml").write_bytes(b"# caf\xe9\n")
    code, told = lab.run("up")
    assert code == 1
    assert "compose.yaml: byte 5 is no UTF-8: save the file as UTF-8." in told
    assert len(told.splitlines()) == 1


def test_ctrl_c_gives_the_cursor_back_while_the_background_starts(lab: "Lab") -> None:
    lab.compose(NEVER_READY)
    terminal = pexpect.spawn(
        str(LAB), ["up", "--detach"], cwd=str(lab.folder), env={**lab.environ, "TERM": "xterm"}, timeout=20
    )
    terminal.expect_exact("\x1b[?25l")
    terminal.expect_exact("starting")
    terminal.sendintr()
    terminal.expect_exact("Ending the lab ...")
    terminal.expect_exact("\x1b[?25h")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130
    assert lab.processes() == []
