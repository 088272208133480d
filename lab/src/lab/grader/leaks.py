"""What a block of code left behind: threads, child processes, open files, shared memory."""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

__all__ = ["Leaked", "nothing_left"]

SHARED_MEMORY, SHOWN = Path("/dev/shm"), 5


class Leaked(AssertionError):
    """Something is there that was not there before; the text names it."""


@contextmanager
def nothing_left(*, shared_memory: bool = True) -> Iterator[None]:
    """Raise Leaked if the block leaves something behind. Looks only at this process and its children.

    Shared memory belongs to nobody: without `shared_memory`, what others make meanwhile is not taken for ours.
    """
    before = _things()
    yield
    after = _things()
    left = {kind: sorted(after[kind] - before[kind]) for kind in after}
    shared = set(left["shared memory"]) if shared_memory else set()
    left["shared memory"] = sorted(shared - _used_by_others(shared)) if shared else []
    if any(left.values()):
        raise Leaked(
            "; ".join(f"{kind} left behind: {_some(names)}" for kind, names in left.items() if names)
        )


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


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
    """All segments on this machine, whoever made them. A folder is none."""
    if SHARED_MEMORY.is_dir():
        yield from (path.name for path in SHARED_MEMORY.iterdir() if not path.is_dir())


def _used_by_others(names: Collection[str]) -> set[str]:
    """Those of `names` that are gone meanwhile, or mapped by a process that is none of ours: not left by us."""
    process = psutil.Process()
    ours = {process.pid, *(child.pid for child in process.children(recursive=True))}
    others = (maps for maps in Path("/proc").glob("[0-9]*/maps") if int(maps.parent.name) not in ours)
    mapped = {inode for maps in others for inode in _mapped(maps)}
    return {name for name in names if _inode(SHARED_MEMORY / name) in {None, *mapped}}


def _inode(segment: Path) -> int | None:
    try:
        return segment.stat().st_ino
    except FileNotFoundError:
        return None


def _mapped(maps: Path) -> Iterator[int]:
    """The segments in a process's memory. By inode: a semaphore is mapped before it gets its name."""
    with suppress(OSError):  # it has ended, or is another user's
        for line in maps.read_text().splitlines():
            if f" {SHARED_MEMORY}/" in line:
                yield int(line.split()[4])
