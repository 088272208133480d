"""What a killed process left is removed by whoever starts next; what a living one has is not."""

import subprocess
import sys
from pathlib import Path

from primes.adapters.scratch import scratch


def test_folders_of_the_dead_are_removed_and_nothing_else(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = tmp_path / f"primes-metrics-{gone.pid}-x1"
    others = [tmp_path / name for name in ("primes-metrics-notes-x", "primes-metrics-", "another-1-x")]
    for folder in (left, *others):
        folder.mkdir()
    mine = scratch("primes-metrics", tmp_path)
    again = scratch("primes-metrics", tmp_path)
    assert mine != again
    assert sorted(tmp_path.iterdir()) == sorted([*others, mine, again])
