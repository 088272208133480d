"""The turns of a comparison: the engine before runs again, and a service that began anew is no negative cost."""

import socket
import threading
from typing import Any

import pytest

from lab import LabError
from lab.compare import rounds
from lab.compare.facts import Facts, read
from lab.load.reports import Job, Summary

JOB = Job("downloader", "http://service", "http://origin", "steady", 1, 1.0, 1)


class Switching:
    """A service that tells of the engine before until a switch is done, whether or not who asked still waits.

    `leaves` is the number of the switch at which Ctrl-C comes.
    """

    name = "downloader"
    url = "http://service"

    def __init__(self, leaves: int) -> None:
        self.runs, self.under_way = "naive", list[str]()
        self._leaves = leaves

    def engine(self) -> dict[str, Any]:
        return {"engine": self.runs}

    def use(self, engine: str) -> dict[str, Any]:
        self._leaves -= 1
        self.under_way.append(engine)
        if self._leaves == 0:
            raise KeyboardInterrupt
        return self.finish()

    def finish(self) -> dict[str, Any]:
        while self.under_way:
            self.runs = self.under_way.pop(0)
        return self.engine()


def compare(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "conduct", lambda job, show: (Summary(1.0), False))
    monkeypatch.setattr(rounds, "read", lambda *_: Facts(None, None, None, None))
    rounds.compare(live, JOB, ["reference"], 1, lambda what, now: None)


def test_ctrl_c_during_a_switch_leaves_the_engine_before(monkeypatch: pytest.MonkeyPatch) -> None:
    live = Switching(leaves=1)
    with pytest.raises(KeyboardInterrupt):
        compare(live, monkeypatch)
    live.finish()
    assert live.runs == "naive"


def test_ctrl_c_on_the_way_back_tells_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        LabError, match=r"^Interrupted\.\nBack to the engine before: lab use downloader naive$"
    ):
        compare(Switching(leaves=2), monkeypatch)


def test_a_service_that_began_anew_tells_of_no_cost() -> None:
    before, after = Facts(1.0, 500.0, 9.0, 4.0), Facts(1.0, 20.0, 1.0, 4.0)
    assert rounds._spent(before, after) == (None, None, 0.0)


def test_facts_in_no_http_are_none() -> None:
    def greet(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.sendall(b"hello\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=(server,), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(LabError, match=f"^{url}/metrics does not answer"):
            read(url, "downloader", "naive")
