"""Boards in shared memory, and what becomes of them when their makers are killed."""

import os
import signal
import subprocess
import sys
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from primes.adapters import memory
from primes.adapters.memory import FOLDER, MemoryBoard, Rows, memory_board, sweep
from primes.contract import Job, Kind, Part, Tile

TILE = Tile(0, 0, 10, Kind.COUNT)
needs_files = pytest.mark.skipif(not FOLDER.is_dir(), reason="shared memory has no files on this system")
MAKER = """
from primes.adapters.memory import MemoryBoard
board = MemoryBoard(1)
print(board.name, flush=True)
input()
"""


@needs_files
def test_what_a_killed_maker_left_is_swept_away() -> None:
    """Killed with its resource tracker, as when a machine is short of memory: nobody is left to clean up."""
    with subprocess.Popen(
        [sys.executable, "-c", MAKER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    ) as maker:  # fmt: skip
        assert maker.stdout
        segment = FOLDER / maker.stdout.readline().strip()
        sweep()
        assert segment.exists(), "its maker is alive"
        os.killpg(maker.pid, signal.SIGKILL)
    sweep()
    assert not segment.exists()


def used(board: MemoryBoard) -> None:
    rows = Rows()
    assert rows.open(board.name)
    rows.write(TILE, Part(count=4))
    rows.close()
    assert board.read([TILE]) == {TILE: Part(count=4)}
    board.close()


@needs_files
def test_what_is_in_use_is_not_swept_away() -> None:
    board = memory_board(Job(0, 10), 1)
    assert board.name not in sweep()
    used(board)
    assert not (FOLDER / board.name).exists()


@needs_files
def test_a_board_that_somebody_else_removed_is_closed_all_the_same() -> None:
    """As systemd does when its user logs out (RemoveIPC): whoever closes it has other jobs to go on with."""
    board = memory_board(Job(0, 10), 1)
    (FOLDER / board.name).unlink()
    board.close()
    resource_tracker.unregister(f"/{board.name}", "shared_memory")
    assert not [link for link in Path("/proc/self/fd").iterdir() if board.name in os.path.realpath(link)]


def test_where_the_system_has_no_such_files_boards_work_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "FOLDER", tmp_path / "absent")
    used(memory_board(Job(0, 10), 1))
    assert sweep() == []


PROGRAM = """
from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.contract import Job, Limits, Ports
from primes.engine import PrimeCalculator

crew = ProcessCrew(1, "numpy")
engine = PrimeCalculator(Ports(crew=lambda: crew, board=memory_board), Limits(workers=1))
engine.start([])
print(engine.wait(engine.submit(Job(0, 1000)), 20.0).answer)
engine.stop(0.0)
"""


def test_no_tracker_of_resources_complains() -> None:
    """Neither the engine's process nor a worker's, at whose end Python looks for what was left."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert (ended.stdout.strip(), ended.stderr) == ("{'count': 168}", "")
