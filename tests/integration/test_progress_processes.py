"""Several terminals at once, and a kill at any moment: no update is lost, no file is half."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from lab.progress.store import Store, parse

WRITER = """
import sys
from pathlib import Path
from lab.progress.changes import hinted
from lab.progress.store import Store
store, name = Store(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for level in range(1, int(sys.argv[3]) + 1):
    store.update(lambda progress: hinted(progress, "T1", f"{name}-{level}", level))
    print(level, flush=True)
"""
UPDATES, TERMINALS = 40, 4


def writer(path: Path, name: str, updates: int) -> subprocess.Popen[str]:
    """A process that waits for a line, then opens as many hints; prints each when it is done."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(updates)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def test_terminals_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    processes = [writer(path, f"terminal{number}", UPDATES) for number in range(TERMINALS)]
    for process in processes:
        begin(process)
    for process in processes:
        process.communicate(timeout=50)
        assert process.returncode == 0
    assert len(Store(path).read().of("T1").hints) == UPDATES * TERMINALS


def test_a_kill_loses_no_update_that_was_done_and_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    done = 0
    for life in range(5):
        process = writer(path, f"life{life}", 1_000_000)
        begin(process)
        assert process.stdout
        for _ in range(1 + 3 * life):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read()  # `communicate` passes over what a `readline` has buffered
        process.communicate(timeout=10)
        done += 1 + 3 * life + len([line for line in rest.splitlines() if line])
        progress = parse(path.read_bytes(), str(path))
        assert done <= len(progress.of("T1").hints) <= done + life + 1, (
            "one more may be done and not yet told"
        )
    assert not list(tmp_path.glob("*.corrupt-*"))
    assert json.loads(path.read_text())["version"] == 1
