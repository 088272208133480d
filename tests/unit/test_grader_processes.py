"""What judges processes and what they leave behind: each tool finds what it is for, and passes what is right."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest

from lab.grader.kills import Reached, killed_everywhere
from lab.grader.leaks import Leaked, nothing_left
from lab.grader.verdicts import Verdict


@pytest.fixture
def thread() -> Iterator[Callable[[], None]]:
    over = threading.Event()
    lost = threading.Thread(target=over.wait, name="lost")
    yield lost.start
    over.set()
    lost.join()


def test_a_thread_left_behind_is_named(thread: Callable[[], None]) -> None:
    with pytest.raises(Leaked, match="lost"), nothing_left():
        thread()


def test_a_child_left_behind_is_named() -> None:
    children = []
    try:
        with pytest.raises(Leaked, match="children left behind: python"), nothing_left():
            children.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    finally:
        for child in children:
            child.communicate(b"\n")


UNTRACKED: dict[str, Any] = {"track": False} if sys.version_info >= (3, 13) else {}


def test_a_file_left_open_is_named(tmp_path: Path) -> None:
    files = []
    with pytest.raises(Leaked, match=r"notes\.txt"), nothing_left():
        files.append((tmp_path / "notes.txt").open("w"))
    files[0].close()


def test_shared_memory_left_behind_is_named() -> None:
    segments = []
    with pytest.raises(Leaked, match="shared memory left behind"), nothing_left():
        segments.append(SharedMemory(create=True, size=16, **UNTRACKED))
    segments[0].close()
    segments[0].unlink()


STRANGER = """
import os, sys
from multiprocessing import get_context
from tempfile import NamedTemporaryFile
os.fork() and os._exit(0)  # whose parent has ended is nobody's child here
sys.stdin.readline()
shared = get_context("spawn").Lock() if sys.argv[1] == "mapped" else NamedTemporaryFile(dir="/dev/shm")
print("made", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("how", ["mapped", "open"])
def test_shared_memory_of_others_is_not_counted(how: str) -> None:
    command = [sys.executable, "-c", STRANGER, how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as stranger:
        assert stranger.stdin
        assert stranger.stdout
        stranger.wait()
        with nothing_left():
            stranger.stdin.write(b"\n")
            assert stranger.stdout.readline() == b"made\n"
        stranger.stdin.write(b"\n")
        assert stranger.stdout.read() == b""


def test_what_is_swept_away_in_a_moment_was_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    of_the_killed = Path("/dev/shm", f"lab-test-{os.getpid()}")
    monkeypatch.setattr(time, "sleep", lambda seconds: of_the_killed.unlink())
    with nothing_left():
        of_the_killed.touch()


def test_nothing_left_is_nothing_raised(tmp_path: Path) -> None:
    with nothing_left():
        worker = threading.Thread(target=(tmp_path / "notes.txt").write_text, args=("x",))
        worker.start()
        worker.join()


def copies(careful: bool) -> Callable[[Path, Reached], None]:
    """Moves five items from a list to a file; the careful one writes item and position in one step."""

    def work(folder: Path, reached: Reached) -> None:
        done = folder / "done"
        lines = done.read_text().splitlines() if done.exists() else []
        position = folder / "position"
        start = len(lines) if careful else int(position.read_text()) if position.exists() else 0
        for item in range(start, 5):
            reached(f"before {item}")
            with done.open("a") as file:
                file.write(f"{item}\n")
            reached(f"between {item}")
            position.write_text(str(item + 1))

    return work


def once(folder: Path) -> None:
    lines = (folder / "done").read_text().splitlines()
    assert lines == [str(item) for item in range(5)], f"what came out: {lines}"


forks = pytest.mark.filterwarnings(
    "ignore:This process.*is multi-threaded:DeprecationWarning"
)  # pytest's own


@forks
@pytest.mark.parametrize(("careful", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL)])
def test_killed_at_every_place(careful: bool, verdict: Verdict) -> None:
    outcome = killed_everywhere(copies(careful), once)
    assert outcome.verdict is verdict, outcome.detail
    assert ("killed at 'between 0'" in outcome.detail) == (verdict is Verdict.FAIL)


@forks
def test_a_sample_of_places_is_the_same_for_a_seed() -> None:
    assert [killed_everywhere(copies(False), once, seed, most=3).schedules for seed in (1, 1)] in (
        [number, number] for number in range(1, 11)
    )


@forks
def test_work_without_places_is_inconclusive() -> None:
    outcome = killed_everywhere(lambda folder, reached: None, lambda folder: None)
    assert outcome.verdict is Verdict.INCONCLUSIVE


@forks
def test_work_that_fails_alone_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def work(folder: Path, reached: Reached) -> None:
        raise ValueError("no")

    outcome = killed_everywhere(work, lambda folder: None)
    assert outcome.verdict is Verdict.FAIL
    assert "nobody killed it" in outcome.detail
    assert "ValueError: no" in capfd.readouterr().err


def starts_another(loyal: bool) -> Callable[[Path, Reached], None]:
    """Starts a process that ends with it, or one that does not."""

    def work(folder: Path, reached: Reached) -> None:
        program = "input()" if loyal else "import time; time.sleep(60)"
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as child:
            reached("while another runs")
            child.kill()

    return work


@forks
@pytest.mark.parametrize(("loyal", "verdict"), [(True, Verdict.PASS), (False, Verdict.FAIL)])
def test_what_the_dead_had_started_ends_too(loyal: bool, verdict: Verdict) -> None:
    outcome = killed_everywhere(starts_another(loyal), lambda folder: None)
    assert outcome.verdict is verdict, outcome.detail
    assert ("outlive" in outcome.detail) == (verdict is Verdict.FAIL)
