"""An end from outside takes the same way out as Ctrl-C, so that everything is put back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ending_like_interrupt"]


@contextmanager
def ending_like_interrupt() -> Iterator[None]:
    """While the block runs, SIGTERM and SIGHUP raise KeyboardInterrupt. For the main thread."""
    endings = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(ending, _interrupt) for ending in endings]
    try:
        yield
    finally:
        for ending, handler in zip(endings, before, strict=True):
            signal.signal(ending, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
