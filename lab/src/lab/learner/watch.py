"""lab watch: judges at every save, as one loop over what happens: saves, keys, verdicts."""

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from lab import LabError
from lab.grader.catalogue import checks_of
from lab.grader.verdicts import CheckResult
from lab.learner.hints import Hint, open_hint
from lab.learner.judging import content_of, in_order, remember
from lab.learner.round import Round, command
from lab.learner.saves import looks, saves
from lab.learner.syllabus import Entry
from lab.learner.workspace import file_of
from lab.progress.changes import started
from lab.progress.store import Store, now

__all__ = ["Key", "Saved", "Screen", "Watch"]


@dataclass(frozen=True)
class Saved:
    """The file has another content."""


@dataclass(frozen=True)
class Key:
    """A key was pressed: r runs all again, h opens a hint, q quits."""

    key: str


@dataclass(frozen=True)
class _Judged:
    turn: int
    result: CheckResult


@dataclass(frozen=True)
class _Over:
    turn: int
    error: LabError | None


class Screen(Protocol):
    """Where a watch shows what happens."""

    def begin(self, judged: int, unchanged: int) -> None:
        """A round of `judged` checks begins; `unchanged` ones passed before and are left out."""

    def result(self, result: CheckResult) -> None:
        """One verdict came."""

    def over(self, results: list[CheckResult], unchanged: int, seconds: float) -> None:
        """The round has ended by itself."""

    def broken(self, problem: str) -> None:
        """The file is no Python, or is gone."""

    def hint(self, hint: Hint) -> None:
        """A hint was asked for."""

    def say(self, text: str) -> None:
        """Something else, in a sentence."""


@dataclass
class _Turn:
    """A round and what came of it so far."""

    number: int
    content: str
    unchanged: int
    began: float
    names: list[str] = field(default_factory=list)
    results: list[CheckResult] = field(default_factory=list)
    round: Round | None = None


class Watch:
    """Watches one challenge's file. `run` belongs to one thread; whatever happens comes through `events`."""

    def __init__(
        self,
        entry: Entry,
        workspace: Path,
        store: Store,
        screen: Screen,
        judge: Callable[[str, Path, Sequence[str]], list[str]] = command,
    ) -> None:
        self.events: SimpleQueue[Saved | Key | _Judged | _Over] = SimpleQueue()
        self._entry, self._workspace, self._store, self._screen = entry, workspace, store, screen
        self._judge = judge
        self._path = file_of(entry.challenge, workspace)
        self._turn = _Turn(0, "", 0, 0.0)

    def run(self) -> None:
        """Judge now and at every save, until the key q. Raises LabError where there is no file to watch."""
        if not self._path.is_file():
            raise LabError(f"There is no {self._path}: `lab start {self._entry.code}` makes it.")
        checks_of(self._entry.challenge)
        self._store.update(lambda progress: started(progress, self._entry.code, now()))
        stop = threading.Event()
        tell, when = lambda: self.events.put(Saved()), looks(self._path.parent, stop)
        watcher = threading.Thread(target=saves, args=(self._path, tell, when), daemon=True)
        watcher.start()
        try:
            self._begin(every=False)
            self._loop()
        finally:
            stop.set()
            self._end_round()
            watcher.join()

    def _loop(self) -> None:
        while True:
            match self.events.get():
                case Saved():
                    self._saved()
                case Key("r" | "R"):
                    self._begin(every=True)
                case Key("h" | "H"):
                    self._hint()
                case Key("q" | "Q"):
                    return
                case _Judged(turn, result) if turn == self._turn.number:
                    self._turn.results.append(result)
                    self._screen.result(result)
                case _Over(turn, error) if turn == self._turn.number:
                    self._finish(error)

    def _saved(self) -> None:
        problem, content = self._looked()
        if not problem and content == self._turn.content:
            self._screen.say("Only comments or spacing changed: the verdicts stand.")
        else:
            self._begin(every=False)

    def _begin(self, *, every: bool) -> None:
        self._end_round()
        problem, content = self._looked()
        self._turn = _Turn(self._turn.number + 1, content, 0, time.monotonic())
        if problem:
            self._screen.broken(problem)
            return
        names, done = in_order(self._entry.challenge, self._store.read().of(self._entry.code), content)
        if every:
            names, done = names + done, []
        self._turn.names, self._turn.unchanged = names, len(done)
        self._screen.begin(len(names), len(done))
        if names:
            self._start_round(names)
        else:
            self._screen.over([], len(done), 0.0)

    def _start_round(self, names: list[str]) -> None:
        number = self._turn.number
        self._turn.round = Round(
            self._judge(self._entry.code, self._workspace, names),
            lambda result: self.events.put(_Judged(number, result)),
            lambda error: self.events.put(_Over(number, error)),
        )

    def _looked(self) -> tuple[str, str]:
        """Why the file cannot be judged, or nothing; and the hash of what is to be judged."""
        try:
            content = content_of(self._entry.challenge, self._workspace)
            with warnings.catch_warnings(action="ignore"):
                compile(self._path.read_bytes(), str(self._path), "exec", dont_inherit=True)
        except OSError as error:
            return f"{self._path}: {error.strerror}. It is judged again when it is there.", ""
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            return _python_error(error), ""
        return "", content

    def _end_round(self) -> None:
        if self._turn.round:
            self._turn.round.stop()
            self._remember()

    def _finish(self, error: LabError | None) -> None:
        turn = self._turn
        self._remember()
        results = sorted(turn.results, key=lambda result: turn.names.index(result.name))
        self._screen.over(results, turn.unchanged, time.monotonic() - turn.began)
        if error:
            self._screen.say(str(error))

    def _remember(self) -> None:
        """Once a round; of one that was ended early, what is known by then."""
        turn, self._turn.round = self._turn, None
        _, after = self._looked()
        seconds = time.monotonic() - turn.began
        try:
            remember(self._store, self._entry.challenge, turn.content, turn.results, seconds, after)
        except LabError as problem:
            self._screen.say(str(problem))

    def _hint(self) -> None:
        try:
            self._screen.hint(open_hint(self._entry, self._store))
        except LabError as problem:
            self._screen.say(str(problem))


def _python_error(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception_only(error)).rstrip()
