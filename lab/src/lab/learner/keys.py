"""Single keys from the terminal, without Enter."""

import os
import re
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["keys"]

SEQUENCE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
"""What arrows, function keys, the mouse and Alt send (ECMA-48): their letters are no keys."""


@contextmanager
def keys(tell: Callable[[str], None]) -> Iterator[bool]:
    """Call `tell` with each key, from a thread, while the block runs; yields whether there is a keyboard.

    The terminal is put back as it was, whatever happens. Ctrl-C stays what it is.
    """
    if not sys.stdin.isatty():
        yield False
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    ended, end = os.pipe()
    reader = threading.Thread(target=_read, args=(terminal, ended, tell), daemon=True)
    tty.setcbreak(terminal)
    reader.start()
    try:
        yield True
    finally:
        os.close(end)
        reader.join()
        os.close(ended)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(terminal: int, ended: int, tell: Callable[[str], None]) -> None:
    while True:
        ready, _, _ = select.select([terminal, ended], [], [])
        typed = os.read(terminal, 64) if terminal in ready else b""
        if ended in ready or not typed:
            return
        for key in SEQUENCE.sub("", typed.decode(errors="ignore")):
            tell(key)
