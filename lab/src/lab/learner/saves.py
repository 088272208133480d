"""Tells when a file was saved: the kernel says so at once; where it does not, a look each second sees it.

Network file systems report nothing, and the kernel's watches can be used up; neither is an error anywhere.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event

from watchfiles import watch

__all__ = ["looks", "saves"]

LOOK_MS, SETTLE_MS = 1000, 50


def saves(path: Path, tell: Callable[[], None], when: Iterable[object]) -> None:
    """Call `tell` each time the content of `path` has become another one; look at each item of `when`."""
    seen = _content(path)
    for _ in when:
        content = _content(path)
        if content is not None and content != seen:
            seen = content
            tell()


def looks(folder: Path, stop: Event) -> Iterator[object]:
    """Yield when something happens in `folder`, and at least each second, until `stop` is set."""
    with suppress(OSError, RuntimeError):  # the kernel's watches are used up, or there are none here
        yield from watch(
            folder,
            watch_filter=None,
            debounce=SETTLE_MS,
            step=SETTLE_MS // 2,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            stop_event=stop,
            raise_interrupt=False,
            recursive=False,
        )
    while not stop.wait(LOOK_MS / 1000):
        yield None


def _content(path: Path) -> bytes | None:
    """What is in the file; None while an editor is replacing it."""
    try:
        return path.read_bytes()
    except OSError:
        return None
