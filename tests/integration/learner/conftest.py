"""A small challenge of a stranger, a learner's folders, and a real terminal to sit at."""

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pexpect import TIMEOUT
from pexpect.fdpexpect import fdspawn
from tests.command import LAB

from lab.cli import main

ENGINE = """
class Tally:
    def __init__(self, ports):
        self.sum = 0

    def add(self, amount):
        self.sum += amount

    def total(self):
        return self.sum
"""
FILES = {
    "pyproject.toml": '[project]\nname = "tally"\n',
    "README.md": "# X1: tally\n\nCount *everything*.\n",
    "src/tally/__init__.py": "",
    "src/tally/challenge.toml": """
code = "X1"
title = "Tally"
category = "Threading"
engine = "Tally"
minutes = 10
skills = ["counting"]
[complexity]
threading = 1
[hints]
adds_up = ["Look at add.", "It adds nothing.", "self.sum += amount"]
""",
    "src/tally/contract.py": """
from typing import Protocol
from lab_kit.ports import Ports

class Tally(Protocol):
    def __init__(self, ports: Ports) -> None: ...
    def add(self, amount: int) -> None: ...
    def total(self) -> int: ...
""",
    "src/tally/engine.py": ENGINE,
    "src/tally/starter.py": ENGINE.replace("self.sum += amount", "pass"),
    "src/tally/checks/__init__.py": "",
    "src/tally/checks/test_tally.py": '''
from lab_kit.ports import Ports

def test_starts_at_zero(engine):
    """Nothing added is nothing."""
    assert engine(Ports()).total() == 0

def test_adds_up(engine):
    """What was added is the total."""
    tally = engine(Ports())
    tally.add(2)
    assert tally.total() == 2, f"2 was added, the total is {tally.total()}"

def test_goes_on(engine):
    """Two amounts make a sum."""
    tally = engine(Ports())
    tally.add(2)
    tally.add(3)
    assert tally.total() == 5, f"2 and 3 were added, the total is {tally.total()}"
''',
    "src/tally-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tally\nVersion: 1\n\n# As installed\n",
    "src/tally-1.dist-info/entry_points.txt": "[lab.challenges]\nX1 = tally\n",
}
PATIENCE = 30.0  # seconds until something that should be shown is missed


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    code: object
    out: str
    err: str


class Learner:
    """A learner with an empty workspace and no progress yet, who has X1 installed beside T1."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, printed: pytest.CaptureFixture[str]) -> None:
        self._patch, self._printed = patch, printed
        self.site, self.workspace = folder / "site/src", folder / "workspace"
        self.file, self.progress = self.workspace / "tally.py", folder / "data/progress.json"
        for name, text in FILES.items():
            path = folder / "site" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        patch.syspath_prepend(str(self.site))
        patch.setenv("PYTHONPATH", str(self.site))
        patch.setenv("LAB_WORKSPACE", str(self.workspace))
        patch.setenv("LAB_PROGRESS", str(self.progress))

    def run(self, *arguments: str, text: str = "") -> Ended:
        """Run a command of the lab without a terminal."""
        self._patch.setattr(sys, "argv", ["lab", *arguments])
        self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        with pytest.raises(SystemExit) as ended:
            main()
        told = self._printed.readouterr()
        return Ended(ended.value.code, told.out, told.err)


class Terminal:
    """A command of the lab at a terminal of its own."""

    def __init__(self, arguments: tuple[str, ...], columns: int) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self.process = subprocess.Popen(
            [LAB, *arguments],
            env=os.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONUTF8": "1"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self.modes = termios.tcgetattr(theirs)
        self._theirs = theirs
        self._screen = fdspawn(ours, encoding="utf-8", timeout=PATIENCE)

    def shows(self, *texts: str) -> None:
        """Wait until each text came, in this order."""
        for text in texts:
            if self._screen.expect_exact([text, TIMEOUT]):
                pytest.fail(f"{text!r} did not come (code {self.process.poll()}): {self._screen.before!r}")

    def types(self, keys: str) -> None:
        self._screen.send(keys)

    def modes_now(self) -> object:
        return termios.tcgetattr(self._theirs)

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._screen.close()
        os.close(self._theirs)


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Learner:
    return Learner(tmp_path, monkeypatch, capsys)


type Sit = Callable[..., Terminal]


@pytest.fixture
def sit(learner: Learner) -> Iterator[Sit]:
    """A function that runs a command of the lab at a terminal."""
    sitting: list[Terminal] = []

    def sit(*arguments: str, columns: int = 80) -> Terminal:
        sitting.append(Terminal(arguments, columns))
        return sitting[-1]

    yield sit
    for terminal in sitting:
        terminal.close()
