"""What judging one scenario comes to, whoever judged it."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.grader.verdicts import Verdict

__all__ = ["Budget", "Outcome", "Step", "readable", "said"]

BEGINNING, END = 3000, 1500  # characters of a text that are shown


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to search: `schedules`, but no longer than `seconds`; `steps` bounds one schedule.

    `effort` is how many steps may be taken to find a failing schedule that is easier to read.
    """

    schedules: int = 20
    seconds: float = 20.0
    steps: int = 200_000
    effort: int = 1_500_000


@dataclass(frozen=True, slots=True)
class Step:
    """A thread went on at `line` of `file`; an empty file is none of the engine's."""

    thread: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Same scenario, files, seed and Python: same outcome, step by step.

    `threads` is how many threads ran lines of the engine. `steps` are those of the schedule that failed; before
    each of `stops` a thread was stopped that could have gone on.
    """

    verdict: Verdict
    detail: str = ""
    seed: int = 0
    schedules: int = 0
    threads: int = 0
    steps: Sequence[Step] = field(default=(), repr=False)
    stops: Sequence[int] = ()
    error: BaseException | None = field(default=None, repr=False)


def readable(text: str) -> str:
    """`text` as it can be shown: without its middle where it is very long, and without what no file can hold."""
    left_out = len(text) - BEGINNING - END
    if left_out > 0:
        text = f"{text[:BEGINNING]} [{left_out} characters left out] {text[-END:]}"
    return text.encode(errors="backslashreplace").decode()


def said(error: BaseException | None) -> str:
    """What an exception says, without its traceback; of an assertion with a message, only that."""
    text = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, AssertionError):
        kind = type(error)
        text = text.removeprefix(f"{kind.__module__}.").removeprefix(f"{kind.__qualname__}: ")
    message, _, compared = text.partition("\nassert ")
    return message or f"assert {compared}"
