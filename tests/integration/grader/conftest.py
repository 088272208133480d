"""A challenge of a stranger: a package of its own, installed beside the lab, with one class and one check."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from lab.challenges import Challenge, find, installed
from lab.grader.grade import grade
from lab.grader.process import Judge
from lab.grader.verdicts import Report

FILES = {
    "tally/__init__.py": "",
    "tally/challenge.toml": 'code = "X1"\ntitle = "Tally"\ncategory = "Threading"\nengine = "Tally"\n',
    "tally/contract.py": """
from typing import Protocol
from lab_kit.ports import Ports

class Tally(Protocol):
    def __init__(self, ports: Ports) -> None: ...
    def add(self, amount: int) -> None: ...
    def total(self) -> int: ...
""",
    "tally/engine.py": """
class Tally:
    def __init__(self, ports):
        self.lock, self.sum = ports.lock("sum"), 0

    def add(self, amount):
        with self.lock:
            self.sum += amount

    def total(self):
        return self.sum
""",
    "tally/naive.py": """
class Tally:
    def __init__(self, ports):
        self.sum = 0

    def add(self, amount):
        self.sum += amount

    def total(self):
        return self.sum
""",
    "tally/mutants.py": """
from tally.engine import Tally

class Late(Tally):
    \"\"\"Reads before it locks.\"\"\"

    caught_by = "nothing_is_lost"

    def add(self, amount):
        before = self.sum
        with self.lock:
            self.sum = before + amount
""",
    "tally/checks/__init__.py": "",
    "tally/checks/test_tally.py": '''
import threading

from lab.grader import Inconclusive

def test_nothing_is_lost(explore):
    """Every amount that is added
    is in the total."""

    def scenario(engine, ports):
        tally = engine(ports)
        threads = [threading.Thread(target=tally.add, args=(2,), name=f"user-{n}") for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert tally.total() == 6, f"6 was added, the total is {tally.total()}"

    explore(scenario)

def test_starts_at_zero(engine):
    """Nothing added is nothing."""
    from lab_kit.ports import Ports
    assert engine(Ports()).total() == 0

def test_of_weather(explore):
    """It rains."""

    def scenario(engine, ports):
        raise Inconclusive("the sun shone")

    explore(scenario)

def test_waits_in_no_time(conclude):
    """An hour is nothing."""
    import asyncio
    from lab.grader.coroutines import in_virtual_time
    conclude(in_virtual_time(lambda: asyncio.sleep(3600)))

def test_never_is_never(conclude, seeds):
    """Two is three."""
    import asyncio
    from lab.grader.coroutines import simulated

    async def work():
        await asyncio.sleep(1)
        assert 2 == 3, "two is not three"

    conclude(simulated(work, seeds))

def test_is_wrong(explore):
    """This check has a bug."""
    explore(no_such_name)
''',
    "tally-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: tally\nVersion: 1\n",
    "tally-1.dist-info/entry_points.txt": "[lab.challenges]\nX1 = tally\n",
}


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Challenge]:
    """The challenge, installed for these tests and the processes they start."""
    place = tmp_path_factory.mktemp("site")
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        patch.setenv("PYTHONPATH", str(place))
        yield find("X1", installed())
    for name in [name for name in sys.modules if name.partition(".")[0] == "tally"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def judge(tally: Challenge) -> Iterator[Judge]:
    """One that is ready."""
    with Judge(tally, at_once=2) as judge:
        yield judge


type JudgeMine = Callable[..., Report]


@pytest.fixture
def judge_mine(tally: Challenge, judge: Judge, tmp_path: Path) -> JudgeMine:
    """Judges the text of a learner's file by the checks named."""

    def judge_mine(
        source: str | bytes, only: Sequence[str] = ("nothing_is_lost",), seconds: float = 20.0
    ) -> Report:
        (tmp_path / "tally.py").write_bytes(source if isinstance(source, bytes) else source.encode())
        return grade(tally, "mine", tmp_path, only=only, seconds=seconds, judge=judge)

    return judge_mine
