"""What a block of code left behind: threads, child processes, open files, shared memory."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

__all__ = ["Leaked", "nothing_left"]

SHARED_MEMORY = Path("/dev/shm")


class Leaked(AssertionError):
    """Something is there that was not there before; the text names it."""


@contextmanager
def nothing_left() -> Iterator[None]:
    """Raise Leaked if the block leaves something behind. Looks only at this process and its children."""
    before = _things()
    yield
    after = _things()
    left = {kind: sorted(after[kind] - before[kind]) for kind in after}
    if any(left.values()):
        raise Leaked(
            "; ".join(f"{kind} left behind: {', '.join(names)}" for kind, names in left.items() if names)
        )


def _things() -> Mapping[str, set[str]]:
    process = psutil.Process()
    return {
        "threads": {f"{thread.name} ({thread.ident})" for thread in threading.enumerate()},
        "children": {f"{child.name()} ({child.pid})" for child in process.children(recursive=True)},
        "files": {f"{file.path} ({file.fd})" for file in process.open_files()},
        "connections": {f"{one.laddr} ({one.fd})" for one in process.net_connections()},
        "shared memory": set(_segments()),
    }


def _segments() -> Iterator[str]:
    """Segments that this user made: other processes of the same user count, and should not run beside a check."""
    if SHARED_MEMORY.is_dir():
        yield from (path.name for path in SHARED_MEMORY.iterdir())
