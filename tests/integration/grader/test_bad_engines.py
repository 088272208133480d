"""Whatever a learner's file does, the verdict is clear, comes in time, and the lab goes on."""

import textwrap
from collections.abc import Callable

import pytest

from lab.grader.verdicts import Report, Verdict

type Judge = Callable[..., Report]

ENGINE = """
import itertools, os, signal, sys, threading, time, _thread
{top}

class Tally:
    def __init__(self, ports):
        self.lock, self.sum = ports.lock("sum"), 0
        {begin}

    def add(self, amount):
        {add}
        with self.lock:
            self.sum += amount

    def total(self):
        return self.sum
"""


def engine(top: str = "", begin: str = "pass", add: str = "pass") -> str:
    return textwrap.dedent(ENGINE).format(top=top, begin=begin, add=add)


BAD = {
    "loops for ever": (engine(add="while True: pass"), Verdict.FAIL, "no end after"),
    "loops for ever in C": (engine(add="sum(itertools.count())"), Verdict.FAIL, "no end after"),
    "waits for a lock nobody knows": (
        engine(top="lock = _thread.allocate_lock()", add="lock.acquire()"),
        Verdict.INCONCLUSIVE,
        "does not control",
    ),
    "has a pool of nobody": (
        engine(top="from concurrent.futures import ThreadPoolExecutor", begin="ThreadPoolExecutor(0)"),
        Verdict.FAIL,
        "max_workers must be greater than 0",
    ),
    "swallows everything and loops": (
        engine(
            add="""
        while True:
            try: self.add(0)
            except: pass"""
        ),
        Verdict.FAIL,
        "",
    ),
    "forks": (engine(add="os.fork()"), Verdict.FAIL, "starts no process: os.fork"),
    "forks and hides it": (
        engine(
            add="""
        try: os.system("true")
        except Exception: pass"""
        ),
        Verdict.FAIL,
        "starts no process: os.system",
    ),
    "exits at import": (engine(top="sys.exit(0)"), Verdict.FAIL, "SystemExit: 0"),
    "exits in a thread": (engine(add="raise SystemExit(0)"), Verdict.FAIL, "SystemExit"),
    "leaves a thread behind": (
        engine(begin="threading.Thread(target=threading.Event().wait, name='lost').start()"),
        Verdict.FAIL,
        "threads are left behind",
    ),
    "kills its process": (engine(add="os.kill(os.getpid(), signal.SIGKILL)"), Verdict.FAIL, "SIGKILL"),
    "ends its process": (engine(add="os._exit(0)"), Verdict.FAIL, "ended with code 0"),
    "ends its process at import": (engine(top="os._exit(7)"), Verdict.FAIL, "ended with code 7"),
    "takes all memory": (engine(add="bytearray(1 << 40)"), Verdict.FAIL, "MemoryError"),
    "recurses": (engine(add="self.add(amount)"), Verdict.FAIL, "RecursionError"),
    "loops for ever at import": (
        engine(top="while True: pass"),
        Verdict.FAIL,
        "TimeoutError: no end after 2 s",
    ),
    "is no Python": ("class Tally:\n    def add(self\n", Verdict.FAIL, "line 2"),
    "imports what is not there": ("import nothing_of_the_kind\n", Verdict.FAIL, "tally.py"),
    "has no such class": ("class Other: ...\n", Verdict.FAIL, "defines no class Tally"),
    "lacks a method": (
        "class Tally:\n    def __init__(self, ports): ...\n    def add(self, amount): ...\n",
        Verdict.FAIL,
        "has no method total",
    ),
    "is a coroutine where none is asked for": (
        engine().replace("def add", "async def add"),
        Verdict.FAIL,
        "Tally.add should be a plain `def`",
    ),
    "gives the check what it cannot use": (
        engine().replace("def __init__", "def __new__(cls, ports): ...\n    def __init__"),
        Verdict.FAIL,
        "test_tally.py:12, in scenario: threads = [threading.Thread(target=tally.add",
    ),
    "has another signature": (
        engine().replace("amount):", "much):"),
        Verdict.FAIL,
        "should be add(self, amount",
    ),
}


SECONDS = {
    "loops for ever at import": 6.0,
    "loops for ever in C": 2.0,
    "swallows everything and loops": 4.0,
    "waits for a lock nobody knows": 6.0,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_code_ends_in_a_clear_verdict(judge_mine: Judge, name: str) -> None:
    source, verdict, words = BAD[name]
    report = judge_mine(source, seconds=SECONDS.get(name, 24.0))
    assert (report.verdict, words in report.checks[0].detail) == (verdict, True), report.checks[0].detail


GOOD = {
    "prints megabytes": engine(add="print('x' * 3_000_000)"),
    "changes the clock": engine(top="time.monotonic = time.time = lambda: 0.0\ntime.sleep = None"),
    "closes what is open": engine(top="os.closerange(0, 64)"),
    "takes its lock by name": engine(top="from threading import Lock", begin="self.lock = Lock()"),
    "logs": engine(
        top="import logging\nlog = logging.getLogger('tally')", add="log.warning('added %d', amount)"
    ),
    "asks who it is": engine(add="assert threading.current_thread().name.startswith('user')"),
}


@pytest.mark.parametrize("name", GOOD)
def test_correct_code_passes_whatever_else_it_does(judge_mine: Judge, name: str) -> None:
    report = judge_mine(GOOD[name])
    assert report.verdict is Verdict.PASS, report.checks[0].detail


def test_what_it_printed_is_shown_and_bounded(judge_mine: Judge) -> None:
    loud = engine(add="print('very loud ' * 300_000)").replace("with self.lock:", "if True:")
    (check,) = judge_mine(loud).checks
    assert check.verdict is Verdict.FAIL
    assert "very loud" in check.detail
    assert len(check.detail) < 10_000


def test_what_it_raised_is_shown_and_bounded(judge_mine: Judge) -> None:
    loud = engine(add="raise ValueError('\\udc80' + 'very loud ' * 3_000_000)")
    (check,) = judge_mine(loud).checks
    assert check.verdict is Verdict.FAIL
    assert check.detail.encode()[:20] == b"ValueError: \\udc80ve"
    assert "characters left out" in check.detail
    assert "tally.py:11, in add" in check.detail
    assert len(check.detail) < 10_000


def test_a_file_in_an_encoding_of_its_own_is_shown_in_its_trace(judge_mine: Judge) -> None:
    racy = engine(add="pass  # \u00e9").replace("with self.lock:", "if True:")
    (check,) = judge_mine(f"# coding: latin-1\n{racy}".encode("latin-1")).checks
    assert check.verdict is Verdict.FAIL, check.detail
    assert "# \u00e9" in check.trace


def test_an_interrupt_of_its_own_is_a_failure(judge_mine: Judge) -> None:
    (check,) = judge_mine(engine(begin="raise KeyboardInterrupt"), only=("starts_at_zero",)).checks
    assert (check.verdict, check.detail.splitlines()[0]) == (Verdict.FAIL, "KeyboardInterrupt")


def test_the_lab_goes_on_after_a_killer(judge_mine: Judge) -> None:
    killer = engine(add="os.kill(os.getppid(), signal.SIGKILL)")
    report = judge_mine(killer, only=("nothing_is_lost", "starts_at_zero"))
    assert {check.name: check.verdict for check in report.checks}["starts_at_zero"] is Verdict.PASS
