"""Threads that are not of the explored program, say a library's: the search and they leave each other alone."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue, SimpleQueue
from typing import Any

import pytest

from lab.grader.explore import explore
from lab.grader.outcome import Budget
from lab.grader.verdicts import Verdict

type Stranger = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Calls a function on a thread that was there before the search; what it returned, or raised."""
    asked, told = SimpleQueue[Callable[[], Any] | None](), SimpleQueue[Any]()

    def serve() -> None:
        while use := asked.get():
            try:
                told.put(use())
            except BaseException as error:
                told.put(error)

    def call(use: Callable[[], Any]) -> Any:
        asked.put(use)
        return told.get()

    thread = threading.Thread(target=serve)
    thread.start()
    yield call
    asked.put(None)
    thread.join()


def finished(thread: threading.Thread) -> bool:
    thread.start()
    thread.join()
    return not thread.is_alive()


def notified() -> bool:
    changed = threading.Condition()

    def notify() -> None:
        with changed:
            changed.notify()

    with changed:
        threading.Thread(target=notify).start()
        return changed.wait(60)


def pooled() -> bool:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(int, "7").result() == 7


def queued() -> bool:
    items = Queue[int]()
    items.put(1)
    return items.get(timeout=1) == 1


THEIRS: dict[str, Callable[[], bool]] = {
    "a lock": lambda: threading.Lock().acquire() and threading.RLock().acquire(),
    "an event": lambda: not threading.Event().wait(0.001),
    "a condition": notified,
    "semaphores": lambda: threading.Semaphore().acquire() and threading.BoundedSemaphore().acquire(),
    "a thread": lambda: finished(threading.Thread(target=int)),
    "a timer": lambda: finished(threading.Timer(0.001, int)),
    "a pool": pooled,
    "a queue": queued,
}


@pytest.mark.parametrize("use", THEIRS.values(), ids=THEIRS)
def test_a_thread_that_was_there_before_has_what_is_real(
    tmp_path: Path, stranger: Stranger, use: Callable[[], bool]
) -> None:
    said = []
    outcome = explore(lambda: said.append(stranger(use)), [tmp_path], budget=Budget(schedules=3))
    assert (outcome.verdict, outcome.detail) == (Verdict.PASS, "")
    assert said == [True] * 3


def test_its_ids_are_its_own(tmp_path: Path, stranger: Stranger) -> None:
    ids = []
    explore(lambda: ids.append(stranger(lambda: uuid.uuid4())), [tmp_path], budget=Budget(schedules=3))
    assert len(set(ids)) == 3


def test_its_threads_are_not_taken_for_those_that_have_ended(tmp_path: Path, stranger: Stranger) -> None:
    """The system gives the number of a thread that has ended to the next one that begins."""
    began, numbers, times = time.monotonic(), list[int](), list[float]()

    def look() -> None:
        numbers.append(threading.get_ident())
        times.append(time.monotonic())  # of the program it would be virtual, and begin at 0

    def scenario() -> None:
        assert finished(threading.Thread(target=lambda: numbers.append(threading.get_ident())))
        assert stranger(lambda: finished(threading.Thread(target=look)))

    outcome = explore(scenario, [tmp_path], budget=Budget(schedules=20))
    assert outcome.verdict is Verdict.PASS, outcome.detail
    assert len(set(numbers)) < len(numbers)
    assert min(times) >= began
