"""A search that cannot see must say so: first it has to find a race that was planted in the same files."""

import threading
from collections.abc import Sequence
from pathlib import Path

from lab.grader.explore import explore
from lab.grader.outcome import Budget
from lab.grader.verdicts import Verdict

__all__ = ["blind_in"]

RACE = """
class Counter:
    value = 0

    def add(self):
        self.value += 1
"""


def blind_in(files: Sequence[Path], seed: int = 0) -> list[Path]:
    """Those of `files` in which the search does not find a lost update; of a folder, in its first file."""
    sources = [min(file.rglob("*.py")) if file.is_dir() else file for file in files]
    return [source for source in sources if not _found(source, files, seed)]


def _found(source: Path, files: Sequence[Path], seed: int) -> bool:
    planted: dict[str, type] = {}
    exec(compile(RACE, str(source), "exec"), planted)

    def scenario() -> None:
        counter = planted["Counter"]()
        threads = [threading.Thread(target=counter.add) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.value == 2

    return explore(scenario, files, seed, Budget(schedules=50, effort=0)).verdict is Verdict.FAIL
