"""Two people at two terminals: `lab chat`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest


class Terminal:
    """One process of the command, and somebody who types."""

    def __init__(self, url: str, name: str, state: Path) -> None:
        command = [str(Path(sys.executable).with_name("lab")), "chat", "--name", name, "--url", url]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"XDG_STATE_HOME": str(state)},
        )  # fmt: skip
        self._lines: Queue[str] = Queue()
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def type(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until(self, start: str) -> list[str]:
        """What was printed, up to the line that starts so."""
        printed: list[str] = []
        while not printed or not printed[-1].startswith(start):
            printed.append(self._lines.get(timeout=20))
        return printed

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def terminals(replica: Any, tmp_path: Path) -> Iterator[tuple[Terminal, Terminal]]:
    with ExitStack() as ends:
        opened = []
        for name in ("tina", "tom"):
            opened.append(Terminal(replica.url, name, tmp_path / name))
            ends.callback(opened[-1].end)
        for terminal in opened:
            terminal.until("-- you are in general")
        yield opened[0], opened[1]


def test_two_people_at_two_terminals(terminals: tuple[Terminal, Terminal], replica: Any) -> None:
    tina, tom = terminals
    tina.type("/create den")
    tina.until("-- you are in den")
    tom.type("/join den")
    tom.until("-- you are in den")
    tina.type("hello \x1b[2J tom")
    assert tom.until("tina: hello")[-1] == "tina: hello  [2J tom"
    tom.type("/people")
    tom.until("-- tina (online), tom (online)")

    replica.kill()
    tom.until("-- not connected")
    tom.type("said in the tunnel")
    replica.start()
    tina.until("tom: said in the tunnel")
    tom.until("tom: said in the tunnel")

    tina.type("/ban tom 60")
    tom.until("-- you are no longer in den")
    tom.type("am I?")
    tom.until("-- you are not in 'den'")
    tina.type("/quit")
    assert tina.process.wait(20) == 0


def test_who_has_another_s_name_is_told_so(replica: Any, tmp_path: Path) -> None:
    replica.sign_in("tamara")
    command = [str(Path(sys.executable).with_name("lab")), "chat", "--name", "tamara", "--url", replica.url]
    nobody = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    ended = subprocess.run(command, env=nobody, input="", capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert ended.stderr == "'tamara' is taken: choose another, or come back with your token\n"
