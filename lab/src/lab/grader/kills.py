"""Kills a process wherever it says that it may be killed, lets it go on, and looks at what came out.

No tool explores the schedules of several processes. What can be scripted is the moment of a death.
"""

import os
import random
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil

from lab.grader.leaks import Leaked, nothing_left
from lab.grader.outcome import Outcome, said
from lab.grader.verdicts import Verdict

__all__ = ["Reached", "killed_everywhere"]

PATIENCE = 2.0

type Reached = Callable[[str], None]
"""Called by the work wherever it may be killed, with a name for the place."""


def killed_everywhere(
    work: Callable[[Path, Reached], None], judge: Callable[[Path], None], seed: int = 0, most: int = 50
) -> Outcome:
    """Kill `work` at each place it reaches, at most `most` of them; run it again; then `judge` must agree.

    `work(folder, reached)` does its job in `folder`, in a process of its own; run again, it goes on.
    `judge(folder)` asserts that what came out is right: everything once. What a killed process had started must
    end by itself, and its shared memory with it.
    """
    places = _places(work, judge)
    if isinstance(places, Outcome):
        return places
    chosen = range(len(places))
    if len(places) > most:
        chosen = sorted(random.Random(seed).sample(chosen, most))  # type: ignore[assignment]
    for number in chosen:
        detail = _attempt(work, judge, number)
        if detail:
            where = f"killed at {places[number]!r}, the {number + 1}. of {len(places)} places"
            return Outcome(Verdict.FAIL, f"{where}: {detail}", seed, number + 1)
    return Outcome(Verdict.PASS, "", seed, len(chosen))


def _places(work: Callable[[Path, Reached], None], judge: Callable[[Path], None]) -> list[str] | Outcome:
    """The places that an undisturbed run reaches; an outcome where it fails already, or reaches none."""
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name), Path(name) / "places"
        detail = _finished(work, folder / "work", names, None) or _judged(judge, folder / "work")
        places = names.read_text().splitlines() if names.exists() else []
    if detail:
        return Outcome(Verdict.FAIL, f"nobody killed it, and {detail}")
    return places or Outcome(Verdict.INCONCLUSIVE, "it reached no place where it could be killed")


def _attempt(work: Callable[[Path, Reached], None], judge: Callable[[Path], None], number: int) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder, names = Path(name) / "work", Path(name) / "places"
        try:
            with nothing_left():
                if _run(work, folder, names, number) != -signal.SIGKILL:
                    return "it did not come there again: it does not do the same each time"
                return _finished(work, folder, names, None) or _judged(judge, folder)
        except Leaked as error:
            return str(error)


def _finished(work: Callable[[Path, Reached], None], folder: Path, names: Path, number: int | None) -> str:
    code = _run(work, folder, names, number)
    return "" if code == 0 else f"the next run ended with code {code}"


def _judged(judge: Callable[[Path], None], folder: Path) -> str:
    try:
        judge(folder)
    except AssertionError as error:
        return said(error)
    return ""


def _run(work: Callable[[Path, Reached], None], folder: Path, names: Path, number: int | None) -> int:
    """The exit code of a process that does the work, and dies at place `number`."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if not child:
        _work(work, folder, names, number)
    _, status = os.waitpid(child, 0)
    _require_end(child)
    return os.waitstatus_to_exitcode(status)


def _require_end(session: int) -> None:
    """Raise Leaked if what a process started outlives it by more than `PATIENCE` seconds; it is ended then."""
    _, alive = psutil.wait_procs(list(_members(session)), timeout=PATIENCE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    if alive:
        names = ", ".join(f"{process.info['name']} ({process.pid})" for process in alive)
        raise Leaked(f"processes that outlive the one that started them: {names}")


def _members(session: int) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["name"]):
        with suppress(ProcessLookupError):
            if os.getsid(process.pid) == session:
                yield process


def _work(work: Callable[[Path, Reached], None], folder: Path, names: Path, number: int | None) -> NoReturn:
    os.setsid()
    seen = 0

    def reached(name: str) -> None:
        nonlocal seen
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        seen += 1
        with names.open("a") as file:
            file.write(f"{name}\n")

    try:
        work(folder, reached)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
