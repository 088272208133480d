"""Threads that say what they are about to do are where they should be."""

import os
import threading
from collections.abc import Callable

import pytest

from downloader.adapters.cores import AnyCore, HomeCore, home_core

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")


def in_a_thread(step: Callable[[], None]) -> set[int]:
    """Where a thread may run that has done `step`."""
    found: list[set[int]] = []

    def run() -> None:
        step()
        found.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def test_all_who_gather_are_on_one_core_and_nobody_else_is_moved() -> None:
    cores, everywhere = HomeCore(), os.sched_getaffinity(0)
    first, second = in_a_thread(cores.gather), in_a_thread(cores.gather)
    assert first == second
    assert len(first) == 1
    assert first <= everywhere
    assert os.sched_getaffinity(0) == everywhere


def test_who_spreads_may_run_anywhere_again() -> None:
    cores, everywhere = HomeCore(), os.sched_getaffinity(0)

    def there_and_back() -> None:
        cores.gather()
        cores.spread()

    assert in_a_thread(there_and_back) == everywhere


def test_a_thread_that_is_where_it_should_be_costs_no_system_call(monkeypatch: pytest.MonkeyPatch) -> None:
    cores, calls = HomeCore(), []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, where: calls.append(where))
    for _ in range(5):
        cores.gather()
    for _ in range(5):
        cores.spread()
    assert len(calls) == 2


def test_processors_that_were_taken_away_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    cores, everywhere = HomeCore(), os.sched_getaffinity(0)

    def refuse(thread: int, where: set[int]) -> None:
        raise OSError("no such processor any more")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert in_a_thread(cores.gather) == everywhere


def test_where_there_is_one_core_or_no_interpreter_lock_nothing_is_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)
    assert isinstance(home_core(), AnyCore)
    monkeypatch.setattr("sys._is_gil_enabled", lambda: True, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda thread: {3})
    assert isinstance(home_core(), AnyCore)
    monkeypatch.setattr(os, "sched_getaffinity", lambda thread: {1, 3})
    assert isinstance(home_core(), HomeCore)
