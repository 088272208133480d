"""Boards and a ledger in files, where they survive the process: before and after each change it may be killed."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.grader.kills import Reached
from primes.checks.world import Boards, part_of
from primes.contract import Kind, Order, Status, Tile

__all__ = ["FileBoards", "Ledger"]


def _nowhere(place: str) -> None: ...


class FileBoards(Boards):
    """Each part that was computed is a line; the parts are read from it again."""

    def __init__(self, folder: Path, reached: Reached = _nowhere) -> None:
        super().__init__()
        self._file, self._reached = folder / "parts", reached
        for line in _lines(self._file):
            tile = Tile(**{**line["tile"], "kind": Kind(line["tile"]["kind"])})
            self.parts.setdefault(line["job"], {})[tile] = part_of(tile)
            self.computed[line["job"], tile] += 1

    def write(self, order: Order) -> None:
        self._reached(f"before tile {order.tile.index} of {order.job} is written")
        _append(self._file, {"job": order.job, "tile": asdict(order.tile)})
        super().write(order)
        self._reached(f"after tile {order.tile.index} of {order.job} is written")

    def twice(self) -> list[str]:
        """The tiles that were computed more than once."""
        times = Counter(json.dumps(line, sort_keys=True) for line in _lines(self._file))
        return [line for line, number in times.items() if number > 1]


class Ledger(list[Status]):
    """What `finished` was told."""

    def __init__(self, folder: Path, reached: Reached = _nowhere) -> None:
        super().__init__()
        self._file, self._reached = folder / "ends", reached

    def append(self, status: Status) -> None:
        self._reached(f"before the end of {status.job.id} is told")
        _append(self._file, {"job": status.job.id, "answer": dict(status.answer or {})})
        super().append(status)
        self._reached(f"after the end of {status.job.id} is told")

    def told(self) -> dict[str, list[dict[str, int]]]:
        """The answers by job, in the order they came."""
        found: dict[str, list[dict[str, int]]] = {}
        for line in _lines(self._file):
            found.setdefault(line["job"], []).append(line["answer"])
        return found


def _append(file: Path, line: dict[str, Any]) -> None:
    with file.open("a") as out:
        out.write(json.dumps(line) + "\n")


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
