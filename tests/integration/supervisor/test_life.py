"""The supervisor with real processes: started in order, started again, and ended without a remainder."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

import psutil
import pytest

from lab.supervisor.report import Plain
from lab.supervisor.run import supervise
from lab.supervisor.supervise import Timing

if TYPE_CHECKING:
    from tests.integration.supervisor.conftest import Lab


def get(address: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011  # whatever a crash looks like from outside
        urllib.request.urlopen(address, timeout=5)


def test_up_starts_in_order_and_ctrl_c_ends_everything(lab: "Lab") -> None:
    process = lab.up()
    told = lab.output()
    assert told.index("base ") < told.index("user ") < told.index("The lab is ready in ")
    assert f"http://127.0.0.1:{lab.environ['USER_PORT']}" in told
    assert len(lab.processes()) == 5, "supervisor, guard, base, user, its child"
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert lab.processes() == []
    assert lab.component("user")["state"] == "stopped"


def test_a_crashed_component_is_started_again_without_its_children(lab: "Lab") -> None:
    lab.up()
    before = lab.component("user")
    (child,) = psutil.Process(before["pid"]).children()
    get(before["address"] + "/crash")
    lab.eventually(lambda: "user is ready again." in lab.output())
    after = lab.component("user")
    assert after["state"] == "ready"
    assert after["restarts"] == 1
    assert after["pid"] != before["pid"]
    assert child not in lab.processes()
    assert "user ended (exit code 3): the last words. Starting it again in 0.5 s." in lab.output()


@pytest.mark.parametrize("manner", ["", "stubborn"])
def test_nothing_survives_a_killed_supervisor(lab: "Lab", manner: str) -> None:
    lab.compose(
        lab.two_services.replace("parent]", f"parent, {manner or 'gentle'}]\n    stop_grace_period: 300ms")
    )
    lab.up().kill()
    lab.eventually(lambda: lab.processes() == [])
    assert lab.run("status")[0] == 1


def test_down_ends_what_a_killed_supervisor_and_guard_left_and_nothing_else(lab: "Lab") -> None:
    lab.up()
    innocent = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    lab.started.append(innocent)  # type: ignore[arg-type]  # bytes or text: it says nothing
    for process in [p for p in lab.processes() if "guard.py" in str(p.cmdline())]:
        process.kill()
    lab.started[0].kill()
    lab.started[0].wait()
    state = json.loads(lab.home.state.read_text())
    state["components"]["base"] |= {"pid": innocent.pid}  # as if the pid had been given to another since
    lab.home.state.write_text(json.dumps(state))
    lab.eventually(lambda: len(lab.processes()) == 3)  # base, user, its child
    code, told = lab.run("down")
    assert (code, lab.processes()) == (0, [])
    assert "Ended 3 process(es)" in told
    assert innocent.poll() is None


def test_up_ends_what_a_killed_lab_left_and_starts(lab: "Lab") -> None:
    first = lab.up()
    for process in [p for p in lab.processes() if "guard.py" in str(p.cmdline())]:
        process.kill()
    first.kill()
    first.wait()
    lab.up()
    assert "Ended 3 process(es)" in lab.output()
    assert len(lab.processes()) == 5


def test_a_second_ctrl_c_does_not_wait(lab: "Lab") -> None:
    lab.compose(lab.two_services.replace("parent]", "stubborn]\n    stop_grace_period: 10m"))
    process = lab.up()
    process.send_signal(signal.SIGINT)
    lab.eventually(lambda: "Ending the lab" in lab.output())
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert lab.processes() == []


def test_a_component_that_always_ends_fails_the_lab(lab: "Lab") -> None:
    lab.compose(lab.two_services.replace("service.py, parent", "-c, \"print('no such table'); exit(7)\""))
    code, told = lab.run("up")
    assert code == 1
    assert told.count("user ended (exit code 7): no such table.") == 2
    assert "user ended 3 times before it was ever ready. The end of .lab/logs/user.log:" in told
    assert lab.processes() == []
    assert lab.component("user")["state"] == "failed"


def test_a_component_that_does_not_get_ready_fails_the_lab(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.compose(
        lab.two_services.replace(
            "service.py, parent", "-c, \"import time; print('thinking'); time.sleep(99)\""
        )
    )
    for name, value in lab.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(lab.folder.parent)
    file = lab.folder / "compose.yaml"
    assert supervise(file, lab.home, Plain(), Timing(ready=1.0)) == 1
    told = capsys.readouterr().out
    assert "user did not get ready in 1 s." in told
    assert "    thinking" in told
    assert [p for p in lab.processes() if p.pid != os.getpid()] == []


def test_a_command_that_does_not_exist_fails_the_lab(lab: "Lab") -> None:
    lab.compose(lab.two_services.replace("python, service.py, parent", "no-such-program"))
    code, told = lab.run("up", "--detach")
    assert code == 1
    assert "user: cannot start 'no-such-program': No such file or directory." in told
    assert lab.processes() == []


def test_a_taken_port_is_named_with_its_owner_before_anything_starts(lab: "Lab") -> None:
    with socket.create_server(("127.0.0.1", int(lab.environ["BASE_PORT"]))):
        for arguments in (("up",), ("up", "--detach")):
            code, told = lab.run(*arguments)
            assert code == 1
            me = f"{psutil.Process().name()} (pid {os.getpid()})"
            assert f"Port {lab.environ['BASE_PORT']} (base) is taken by {me}: stop it or set" in told
            assert "Port" in told
            assert "Traceback" not in told
    assert not lab.home.state.exists()
