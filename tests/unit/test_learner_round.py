"""A round can be ended with all that it started; what passed is judged again only where something changed."""

import json
import sys
import warnings
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

from lab import LabError
from lab.grader.verdicts import CheckResult, Verdict
from lab.learner.judging import content_of, in_order, remember
from lab.learner.round import Round
from lab.learner.syllabus import named
from lab.learner.view import Terminal
from lab.progress.store import Store

PATIENCE = 20.0


class Heard:
    """What a round said."""

    def __init__(self) -> None:
        self.results: SimpleQueue[CheckResult] = SimpleQueue()
        self.over: SimpleQueue[LabError | None] = SimpleQueue()

    def round(self, code: str) -> Round:
        return Round([sys.executable, "-c", code], self.results.put, self.over.put)


def line(name: str) -> str:
    return json.dumps(asdict(CheckResult(name, "what it asks", Verdict.PASS)))


def test_results_come_as_they_are_found_and_then_the_end() -> None:
    heard = Heard()
    heard.round(f"print({line('a')!r}); print({line('b')!r})")
    assert heard.over.get(timeout=PATIENCE) is None
    assert [heard.results.get_nowait().name for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('print(\'{"problem": "no such check"}\')', "no such check"),
        ("raise SystemExit(7)", "with code 7"),
        ("print('{\"name\": \"a', end='', flush=True); import os; os.kill(os.getpid(), 9)", "with code -9"),
    ],
)
def test_a_round_that_cannot_judge_says_why(code: str, words: str) -> None:
    heard = Heard()
    heard.round(code)
    assert words in str(heard.over.get(timeout=PATIENCE))


def test_a_round_ends_with_all_that_it_started() -> None:
    heard = Heard()
    hang = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000)"
    start = f"p = subprocess.Popen([sys.executable, '-c', {hang!r}], start_new_session=True)"
    told = f"print({line('a')!r}, flush=True); p.wait()"
    running = heard.round(f"import subprocess, sys; {start}; {told}")
    heard.results.get(timeout=PATIENCE)
    below = psutil.Process(running._process.pid).children()
    assert len(below) == 1
    running.stop()
    _, left = psutil.wait_procs(below, PATIENCE)
    assert not [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
    assert heard.over.empty(), "it was stopped, it did not end"


def test_a_round_that_is_ended_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard, made = Heard(), "import tempfile, time; tempfile.mkdtemp()"
    running = heard.round(f"{made}; print({line('a')!r}, flush=True); time.sleep(1000)")
    heard.results.get(timeout=PATIENCE)
    assert len(list(tmp_path.glob("lab-round-*/*"))) == 1
    running.stop()
    assert list(tmp_path.iterdir()) == []


def test_a_round_that_was_cut_short_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    screen, passed = Terminal(named("T1"), Path("downloader.py")), CheckResult("a", "", Verdict.PASS)
    screen.begin(judged=3, unchanged=2)
    screen.result(passed)
    screen.over([passed], 2, 1.0)
    told = capsys.readouterr().out
    assert "3 of 5 passed" in told
    assert "Done" not in told


@pytest.fixture
def learned(tmp_path: Path) -> Store:
    return Store(tmp_path / "progress.json")


def test_only_what_decides_a_verdict_is_in_the_hash(tmp_path: Path) -> None:
    challenge, path = named("T1").challenge, tmp_path / "downloader.py"

    def hash_of(source: str) -> str:
        path.write_text(source)
        return content_of(challenge, tmp_path)

    same = {hash_of("x = 1"), hash_of("x = 1  # why\n\n"), hash_of("# first\nx   =   1\n")}
    assert len(same) == 1
    assert len(same | {hash_of("x = 2"), hash_of("x = (1"), hash_of("x = (1 ")}) == 4


def test_what_python_warns_of_is_for_who_runs_it(tmp_path: Path) -> None:
    (tmp_path / "downloader.py").write_text("words = '\\d'")
    with warnings.catch_warnings(record=True, action="always") as told:
        content_of(named("T1").challenge, tmp_path)
    assert told == []


def test_what_changed_while_it_was_judged_is_not_remembered(learned: Store) -> None:
    challenge = named("T1").challenge
    names, _ = in_order(challenge, learned.read().of("T1"), "one")
    results = [CheckResult(name, "", Verdict.FAIL if name == names[3] else Verdict.PASS) for name in names]
    remember(learned, challenge, "one", results, 1.0, after="two")
    assert learned.read().of("T1").attempts == ()
    remember(learned, challenge, "one", results, 1.0, after="one")
    record = learned.read().of("T1")
    assert len(record.attempts) == 1
    assert in_order(challenge, record, "one") == ([names[3]], [name for name in names if name != names[3]])
    assert in_order(challenge, record, "two") == ([names[3], *names[:3], *names[4:]], [])
