"""The search: what it finds, that it finds the same again, and that correct code passes."""

import itertools
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.grader.explore import explore
from lab.grader.outcome import Budget, Outcome
from lab.grader.planted import blind_in
from lab.grader.trace import render
from lab.grader.verdicts import Verdict

COUNTER = """
import threading

class Counter:
    def __init__(self):
        self.value = 0

    def add(self):
        self.value += 1

def main():
    counter = Counter()
    threads = [threading.Thread(target=counter.add, name=f"adder-{n}") for n in range(3)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert counter.value == 3, f"{counter.value} of 3"
"""

type Search = Callable[..., Outcome]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """Searches the schedules of `main` in a file with this text, imported anew for each."""

    def search(text: str, seed: int = 0, budget: Budget | None = None) -> Outcome:
        path = tmp_path / "engine.py"
        path.write_text(textwrap.dedent(text))
        code = compile(path.read_text(), str(path), "exec")

        def scenario() -> None:
            names: dict[str, Any] = {"__name__": "engine"}
            exec(code, names)
            names["main"]()

        return explore(scenario, [path], seed, budget)

    return search


@pytest.mark.parametrize("seed", range(5))
def test_finds_a_lost_update_within_a_few_schedules(search: Search, seed: int) -> None:
    outcome = search(COUNTER, seed)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.detail in ("1 of 3", "2 of 3")  # schedules are of lines of bytecode: Pythons differ
    assert outcome.schedules <= 10


def test_shows_the_two_threads_side_by_side(tmp_path: Path) -> None:
    path, names = tmp_path / "engine.py", dict[str, Any]()
    path.write_text(COUNTER)
    exec(compile(COUNTER, str(path), "exec"), names)

    def scenario() -> None:
        counter = names["Counter"]()
        threads = [threading.Thread(target=counter.add, name=f"adder-{n}") for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert counter.value == 2

    outcome = explore(scenario, [path])
    header, *shown = render(outcome, [path]).splitlines()
    assert sorted(header.split()) == ["adder-0", "adder-1"]
    assert sum("self.value += 1" in line for line in shown) == 3  # one reads; the other does both; one writes
    assert len({line.index("9  self.value") for line in shown if "9  self.value" in line}) == 2
    assert len(outcome.stops) == 1
    assert max(len(line) for line in render(outcome, [path], 40).splitlines()) <= 40


def test_same_seed_same_steps_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "engine.py"
    path.write_text(COUNTER)
    ask = f"""if True:
        from pathlib import Path
        from lab.grader.explore import explore
        path = Path({str(path)!r})
        names = {{}}
        exec(compile(path.read_text(), str(path), "exec"), names)
        outcome = explore(names["main"], [path], 7)
        print(outcome.schedules, outcome.stops, [(step.thread, step.line) for step in outcome.steps])
    """
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    told = [
        subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, check=True).stdout
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert b"adder-1" in told[0]


def test_another_seed_searches_elsewhere(search: Search) -> None:
    assert len({tuple(search(COUNTER, seed).stops) for seed in range(6)}) > 1


def test_a_deadlock_says_who_holds_what(search: Search) -> None:
    outcome = search("""
    import threading

    def main():
        left, right = threading.Lock(), threading.Lock()
        def eat(first, second):
            with first:
                with second: pass
        threads = [
            threading.Thread(target=eat, args=(left, right), name="plato"),
            threading.Thread(target=eat, args=(right, left), name="kant"),
        ]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """)
    assert outcome.verdict is Verdict.FAIL
    assert "plato  blocked on Lock held by kant  at engine.py:8" in outcome.detail
    assert "kant  blocked on Lock held by plato  at engine.py:8" in outcome.detail


def test_a_thread_left_behind_is_no_deadlock(search: Search) -> None:
    outcome = search("""
    import threading
    def main():
        threading.Thread(target=threading.Event().wait, name="lost").start()
    """)
    assert outcome.detail.startswith("threads are left behind")
    assert "lost" in outcome.detail


def test_a_loop_that_waits_for_another_thread_ends(search: Search) -> None:
    outcome = search("""
    import threading
    def main():
        seen = []
        thread = threading.Thread(target=lambda: seen.append(1))
        thread.start()
        while not seen: pass
        thread.join()
    """)
    assert outcome.verdict is Verdict.PASS, outcome.detail


def test_too_little_time_is_inconclusive(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.grader.strategy._monotonic", itertools.count().__next__)
    outcome = search("def main(): pass", budget=Budget(schedules=10**9, seconds=30))
    assert outcome.verdict is Verdict.INCONCLUSIVE
    assert "schedules in 30 s" in outcome.detail


CORRECT = {
    "a lock by name": """
        from threading import Lock, Thread
        lock, values = Lock(), [0]
        def add():
            with lock: values[0] += 1
        def main():
            threads = [Thread(target=add) for _ in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert values == [3]
        """,
    "logging": """
        import logging, threading
        log = logging.getLogger("engine")
        def main():
            threads = [threading.Thread(target=log.info, args=("from %s", n)) for n in range(3)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        """,
    "two pools that feed each other": """
        import queue
        from concurrent.futures import ThreadPoolExecutor
        def main():
            found = queue.Queue()
            with ThreadPoolExecutor(2) as first, ThreadPoolExecutor(2) as second:
                for n in range(4):
                    first.submit(lambda n=n: second.submit(found.put, n)).result().result()
            assert sorted(found.get_nowait() for _ in range(4)) == [0, 1, 2, 3]
        """,
    "results and errors of a pool": """
        from concurrent.futures import ThreadPoolExecutor, wait
        def main():
            with ThreadPoolExecutor(2) as pool:
                good, bad = pool.submit(int, "1"), pool.submit(int, "x")
                wait([good, bad])
                assert good.result() == 1 and isinstance(bad.exception(), ValueError)
                assert list(pool.map(abs, [-1, -2])) == [1, 2]
        """,
    "a timer": """
        import threading, time
        def main():
            rung, began = threading.Event(), time.monotonic()
            threading.Timer(3600.0, rung.set).start()
            never = threading.Timer(10.0, lambda: 1 / 0)
            never.start()
            never.cancel()
            assert rung.wait(7200.0) and 3600.0 <= time.monotonic() - began < 7200.0
        """,
    "a thread of one's own": """
        import threading
        class Worker(threading.Thread):
            def run(self):
                assert threading.current_thread() is self and self.name == "mine"
                self.done = True
        def main():
            worker = Worker(name="mine", daemon=True)
            worker.start()
            worker.join()
            assert worker.done
        """,
    "a producer and two consumers": """
        import queue, threading
        def main():
            items, seen, lock = queue.Queue(2), [], threading.Lock()
            def consume():
                while (item := items.get()) is not None:
                    with lock: seen.append(item)
            threads = [threading.Thread(target=consume) for _ in range(2)]
            for thread in threads: thread.start()
            for item in [1, 2, 3, 4, None, None]: items.put(item)
            for thread in threads: thread.join()
            assert sorted(seen) == [1, 2, 3, 4]
        """,
    "one that asks who runs": """
        import threading
        def main():
            assert threading.current_thread() is threading.current_thread()
        """,
    "a wait that is notified too early, often": """
        import threading, time
        def main():
            changed, over = threading.Condition(), threading.Event()
            def disturb():
                while not over.wait(1.0):
                    with changed: changed.notify_all()
            thread = threading.Thread(target=disturb)
            thread.start()
            began = time.monotonic()
            with changed: assert not changed.wait_for(lambda: False, timeout=5.0)
            assert time.monotonic() - began < 7.0
            over.set()
            thread.join()
        """,
}


@pytest.mark.parametrize("name", CORRECT)
def test_correct_code_neither_fails_nor_hangs(search: Search, name: str) -> None:
    outcome = search(CORRECT[name], budget=Budget(schedules=30))
    assert outcome.verdict is Verdict.PASS, outcome.detail


def test_waiting_takes_no_time(search: Search) -> None:
    text = """
    import time, threading
    def main():
        before = time.monotonic()
        threading.Event().wait(86400)
        assert time.monotonic() - before == 86400
    """
    assert search(text, budget=Budget(schedules=3)).verdict is Verdict.PASS


def test_the_planted_race_is_found_where_threads_are_switched(tmp_path: Path) -> None:
    (tmp_path / "own.py").touch()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "part.py").touch()
    assert blind_in([tmp_path / "own.py", tmp_path / "package"]) == []


def test_a_search_that_cannot_see_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").touch()
    monkeypatch.setattr("lab.grader.explore._Scheduler._compute_should_trace", lambda self, name: False)
    assert blind_in([tmp_path / "own.py"]) == [tmp_path / "own.py"]
