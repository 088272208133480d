"""The local crew: real processes and real shared memory, and no engine."""

import errno
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from typing import NoReturn

import pytest

from lab.grader.leaks import nothing_left
from primes.adapters import processes
from primes.adapters.kernels import KernelUnavailable, choose
from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.contract import Happened, Job, Kind, News, Order, Part, Tile, Unavailable

JOB = Job(0, 4000)
TILES = [Tile(index, 1000 * index, 1000 * index + 1000, Kind.COUNT) for index in range(4)]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    resource_tracker.ensure_running()
    with nothing_left():
        yield


def until(crew: ProcessCrew, enough: Callable[[list[News]], bool]) -> list[News]:
    heard: list[News] = []
    for _ in range(200):
        if enough(heard):
            return heard
        heard += crew.news(0.2)
    pytest.fail(f"waited in vain, heard {heard}")


def of(heard: list[News], what: Happened) -> list[News]:
    return [news for news in heard if news.happened is what]


def test_parts_are_on_the_board_when_they_are_told() -> None:
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(2, "numpy")
    for tile in TILES:
        crew.give(Order(JOB.id, tile, 1, board.name))
    heard = until(crew, lambda heard: len(of(heard, Happened.DONE)) == 4)
    assert {tile.index: part.count for tile, part in board.read(TILES).items()} == {
        0: 168,
        1: 135,
        2: 127,
        3: 120,
    }
    assert len(of(heard, Happened.BEGAN)) == 4
    crew.close()
    board.discard()
    board.discard()


def test_a_death_is_told_and_the_worker_replaced() -> None:
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(1, "numpy")
    crew.give(Order(JOB.id, TILES[0], 1, board.name), deadly=True)
    crew.give(Order(JOB.id, TILES[1], 1, board.name))
    heard = until(crew, lambda heard: bool(of(heard, Happened.DONE)))
    [lost] = of(heard, Happened.LOST)
    assert lost.order.tile == TILES[0]
    assert f"code {-signal.SIGKILL}" in lost.reason
    assert board.read(TILES) == {TILES[1]: Part(count=135)}
    crew.close()
    board.close()


def test_what_nobody_wants_any_more_is_dropped_in_silence() -> None:
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(1, "numpy")
    crew.give(Order(JOB.id, TILES[0], 1, "gone"))
    crew.give(Order(JOB.id, TILES[1], 1, board.name))
    heard = until(crew, lambda heard: bool(of(heard, Happened.DONE)))
    assert {news.order.tile for news in heard} == {TILES[1]}
    crew.close()
    board.close()


def test_beyond_the_kernel_is_told_as_failed() -> None:
    board, crew = memory_board(JOB, 1), ProcessCrew(1, "numpy")
    crew.give(Order(JOB.id, Tile(0, 10**15, 10**15 + 1000, Kind.COUNT), 1, board.name))
    [failed] = until(crew, lambda heard: bool(of(heard, Happened.FAILED)))[-1:]
    assert "ceiling" in failed.reason
    crew.close()
    board.close()


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="other systems do not count a process's data"
)
@pytest.mark.parametrize("kind", [Kind.COUNT, Kind.SUM])
def test_a_tile_that_needs_more_memory_than_a_process_has_is_told_as_failed(kind: Kind) -> None:
    """Near 2^63 the sieving primes alone need more than these; the same process computes the next tile."""
    try:
        choose("primesieve")
    except KernelUnavailable as error:
        pytest.skip(str(error))
    board, crew = memory_board(JOB, 2), ProcessCrew(1, "primesieve", memory=128)
    crew.give(Order(JOB.id, Tile(0, 2**63 - 10**9, 2**63, kind), 1, board.name))
    crew.give(Order(JOB.id, Tile(1, 0, 1000, Kind.COUNT), 1, board.name))
    heard = until(crew, lambda heard: bool(of(heard, Happened.DONE)))
    [failed] = of(heard, Happened.FAILED)
    assert "PRIMES_PROCESS_MEMORY" in failed.reason
    assert of(heard, Happened.LOST) == []
    assert [part.count for part in board.read([Tile(1, 0, 1000, Kind.COUNT)]).values()] == [168]
    crew.close()
    board.close()


def test_an_idle_crew_has_no_process_and_can_be_interrupted() -> None:
    crew = ProcessCrew(2)
    assert crew.pids() == []
    crew.interrupt()
    assert crew.news(30.0) == []
    crew.close()
    crew.interrupt()


def test_nobody_who_interrupts_waits_for_whoever_listens() -> None:
    crew = ProcessCrew(2)

    def ring() -> None:
        for _ in range(5000):
            crew.interrupt()

    ringing = threading.Thread(target=ring, daemon=True)
    ringing.start()
    ringing.join(10)
    assert not ringing.is_alive()
    assert crew.news(30.0) == []
    crew.close()


def test_what_is_given_again_is_begun_in_turn() -> None:
    """As its leases reckon: who waits behind another lives by its signs of life."""
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(1, "numpy")
    for tile, attempt in zip(TILES, (1, 2, 2, 2), strict=True):
        crew.give(Order(JOB.id, tile, attempt, board.name))
    heard = until(crew, lambda heard: len(of(heard, Happened.DONE)) == 4)
    assert [news.order.tile.index for news in of(heard, Happened.BEGAN)] == [1, 2, 3, 0]
    crew.close()
    board.close()


def test_an_order_given_again_takes_the_place_of_one_that_waits() -> None:
    """While its workers are silent, an engine gives the same tiles again with every lease."""
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(1, "numpy")
    for attempt in (1, 2, 3):
        crew.give(Order(JOB.id, TILES[0], attempt, board.name))
    crew.give(Order(JOB.id, TILES[1], 1, board.name))
    heard = until(crew, lambda heard: any(news.order.tile == TILES[1] for news in of(heard, Happened.DONE)))
    assert [news.order.attempt for news in of(heard, Happened.DONE)] == [3, 1]
    crew.close()
    board.close()


def test_what_is_on_the_board_is_not_computed_again() -> None:
    """An order that comes twice, as from Celery."""
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(1, "numpy")
    for _ in range(2):
        crew.give(Order(JOB.id, TILES[0], 1, board.name))
    heard = until(crew, lambda heard: len(of(heard, Happened.DONE)) == 2)
    assert len(of(heard, Happened.BEGAN)) == 1
    assert heard[-1].seconds == 0.0
    crew.close()
    board.close()


def test_as_long_as_no_process_can_be_started_the_crew_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew = ProcessCrew(1, "numpy")
    monkeypatch.setattr(processes, "Pipe", refuse)
    with pytest.raises(Unavailable, match="too many open files"):
        crew.size()
    monkeypatch.undo()
    until(crew, lambda heard: crew.size() == 1)
    crew.close()


def test_a_place_that_cannot_be_filled_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    board, crew = memory_board(JOB, len(TILES)), ProcessCrew(2, "numpy")
    until(crew, lambda heard: crew.size() == 2)
    monkeypatch.setattr(processes, "Pipe", refuse)
    crew.give(Order(JOB.id, TILES[0], 1, board.name), deadly=True)
    crew.give(Order(JOB.id, TILES[1], 1, board.name))
    heard = until(crew, lambda heard: {Happened.LOST, Happened.DONE} <= {news.happened for news in heard})
    assert [news.order.tile for news in of(heard, Happened.LOST)] == [TILES[0]]
    assert crew.size() == 1
    monkeypatch.undo()
    until(crew, lambda heard: crew.size() == 2)
    crew.close()
    board.close()


def refuse() -> NoReturn:
    raise OSError(errno.EMFILE, "too many open files")


def test_workers_end_with_whoever_hired_them() -> None:
    crew = ProcessCrew(1, "numpy")
    board = memory_board(JOB, 1)
    crew.give(Order(JOB.id, TILES[0], 1, board.name))
    until(crew, lambda heard: bool(of(heard, Happened.DONE)))
    [hand] = crew._hands.values()
    hand.pipe.close()
    assert hand.process.wait(10) == 0
    crew.close()
    board.close()
