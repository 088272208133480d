"""Judging the learner's file and remembering what came of it; what passed is judged again only when it changed."""

import ast
import hashlib
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import lab.grader
from lab import LabError
from lab.challenges import Challenge, home
from lab.grader.catalogue import checks_of
from lab.grader.verdicts import CheckResult, Report, Verdict
from lab.learner.workspace import file_of
from lab.progress.changes import judged
from lab.progress.record import ChallengeRecord
from lab.progress.store import Store, now, the_store

__all__ = ["content_of", "in_order", "remember", "remembered"]


def content_of(challenge: Challenge, workspace: Path) -> str:
    """A hash of all that decides a verdict: the learner's code, the challenge, the grader, this Python.

    Comments and blank lines of the learner's file do not count. Raises FileNotFoundError where there is none.
    """
    digest = hashlib.sha256(sys.version.encode())
    for folder in (home(challenge), Path(lab.grader.__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update(_meaning(file_of(challenge, workspace).read_bytes()))
    return digest.hexdigest()


def _meaning(source: bytes) -> bytes:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.dump(ast.parse(source)).encode()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source


def in_order(challenge: Challenge, record: ChallengeRecord, content: str) -> tuple[list[str], list[str]]:
    """The checks to judge, first those that failed when they were last judged; and those that need not be."""
    names = [check.name for check in checks_of(challenge)]
    known = record.checks
    done = [
        name
        for name in names
        if name in known and known[name].verdict is Verdict.PASS and known[name].content == content
    ]
    failed = [name for name in names if name in known and known[name].verdict is not Verdict.PASS]
    rest = [name for name in names if name not in done and name not in failed]
    return failed + rest, done


def remember(
    store: Store,
    challenge: Challenge,
    content: str,
    results: Sequence[CheckResult],
    seconds: float,
    after: str | None,
) -> None:
    """Remember verdicts on `content`; nothing where the file has become another one (`after`) meanwhile."""
    if after != content:
        return
    every = [check.name for check in checks_of(challenge)]
    store.update(lambda progress: judged(progress, challenge.code, content, results, every, now(), seconds))


def remembered(challenge: Challenge, workspace: Path, judge: Callable[[], Report]) -> Report:
    """Let `judge` judge the learner's engine, and remember what it says; where that cannot be kept, say so."""
    before = _content(challenge, workspace)
    report = judge()
    try:
        if before:
            after = _content(challenge, workspace)
            remember(the_store(), challenge, before, report.checks, report.seconds, after)
    except LabError as error:
        print(error, file=sys.stderr)
    return report


def _content(challenge: Challenge, workspace: Path) -> str | None:
    try:
        return content_of(challenge, workspace)
    except OSError:
        return None
