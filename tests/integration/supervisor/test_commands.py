"""lab up --detach, status, logs and down, and what a person is told who gets one of them wrong."""

import json
import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.integration.supervisor.conftest import Lab


def test_a_lab_in_the_background_from_up_to_down(lab: "Lab") -> None:
    code, told = lab.run("up", "--detach")
    assert code == 0
    assert "The lab is ready in " in told

    code, told = lab.run("status", "--json")
    components = {c["name"]: c for c in json.loads(told)["components"]}
    assert code == 0
    assert {name: c["state"] for name, c in components.items()} == {"base": "ready", "user": "ready"}
    base = components["base"]
    assert base["address"] == f"http://127.0.0.1:{lab.environ['BASE_PORT']}"
    assert psutil.Process(base["pid"]).is_running()
    assert base["seconds_to_ready"] > 0

    code, told = lab.run("up", "--detach")
    assert code == 0, "a second time is no mistake"
    assert "The lab is ready in " in told

    code, told = lab.run("up")
    assert code == 1
    assert "already running" in told
    assert base["address"] in told

    assert lab.run("down") == (0, "The lab has ended.\n")
    assert lab.processes() == []
    assert lab.run("down") == (0, "No lab is running here.\n")


def test_status_asks_again(lab: "Lab") -> None:
    lab.run("up", "--detach")
    psutil.Process(lab.component("base")["pid"]).suspend()
    code, told = lab.run("status")
    assert code == 1
    assert "unready" in told
    assert "base: It was ready, and does not answer now." in told


def test_logs_of_one_and_of_all(lab: "Lab") -> None:
    lab.run("up", "--detach")
    assert lab.run("logs", "base", "-n", "1") == (0, "listening\n")
    code, told = lab.run("logs")
    assert code == 0
    assert "base         | listening\n" in told
    assert "user         | listening\n" in told
    assert lab.run("logs", "nobody") == (1, "There is no log of 'nobody'; there are: base, lab, user.\n")


def test_logs_can_be_followed(lab: "Lab") -> None:
    (lab.home.logs).mkdir(parents=True)
    log = lab.home.log("base")
    log.write_text("before\n")
    process = lab.start("logs", "base", "--follow")
    lab.eventually(lambda: "before\n" in lab.output())
    with log.open("a") as writer:
        writer.write("after\n")
    lab.eventually(lambda: "after\n" in lab.output())
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    assert lab.output() == "before\nafter\n"


def test_a_file_that_cannot_be_understood_starts_nothing(lab: "Lab") -> None:
    lab.compose(lab.two_services.replace("${USER_PORT:-8002}", "$USER_PORT"))
    code, told = lab.run("up", "--detach")
    assert code == 1
    assert "compose.yaml: services.user.ports: '127.0.0.1:$USER_PORT:8000'" in told
    assert not lab.home.state.exists()
