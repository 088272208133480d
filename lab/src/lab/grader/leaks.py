"""What a block of code left behind: threads, child processes, open files, shared memory."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

__all__ = ["Leaked", "nothing_left"]

SHARED_MEMORY, SHOWN = Path("/dev/shm"), 5
SWEPT_SECONDS = 1.0


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
    left["shared memory"] = sorted(_left_by_us(set(left["shared memory"]))) if shared_memory else []
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


def _left_by_us(names: set[str]) -> set[str]:
    """Those of `names` that stay, and that nobody else has. What another process that was killed has left is swept
    away in a moment."""
    until = time.monotonic() + SWEPT_SECONDS
    while (names := names - _used_by_others(names)) and time.monotonic() < until:
        time.sleep(SWEPT_SECONDS / 20)
    return names


def _used_by_others(names: Collection[str]) -> set[str]:
    """Those of `names` that are gone meanwhile, or that a process has that is none of ours: not left by us."""
    if not names:
        return set()
    process = psutil.Process()
    ours = {process.pid, *(child.pid for child in process.children(recursive=True))}
    others = [folder for folder in Path("/proc").glob("[0-9]*") if int(folder.name) not in ours]
    had = {inode for folder in others for look in (_mapped, _opened) for inode in look(folder)}
    return {name for name in names if _inode(SHARED_MEMORY / name) in {None, *had}}


def _inode(segment: Path) -> int | None:
    try:
        return segment.stat().st_ino
    except FileNotFoundError:
        return None


def _opened(process: Path) -> Iterator[int]:
    """The segments that a process has open: its maker opens one before it maps it."""
    device = SHARED_MEMORY.stat().st_dev
    with suppress(OSError):  # it has ended, or is another user's
        for descriptor in (process / "fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                file = descriptor.stat()
                if file.st_dev == device:
                    yield file.st_ino


def _mapped(process: Path) -> Iterator[int]:
    """The segments in a process's memory. By inode: a semaphore is mapped before it gets its name."""
    with suppress(OSError):
        for line in (process / "maps").read_text().splitlines():
            if f" {SHARED_MEMORY}/" in line:
                yield int(line.split()[4])
