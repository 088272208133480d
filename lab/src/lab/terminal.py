"""Standard output: boxes and colours on a terminal, plain columns elsewhere."""

from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table

__all__ = ["columns", "console", "plain"]

PLAIN_WIDTH = 130  # columns where there is no terminal to ask


def console() -> Console:
    """Standard output; wide enough for whole sentences where it is no terminal."""
    return plain(Console(highlight=False))


def plain(shown: Console) -> Console:
    """`shown`, wide enough for whole sentences where it is no terminal."""
    if not shown.is_terminal:
        shown.width = PLAIN_WIDTH
    return shown


def columns(shown: Console, *headers: str, title: str | None = None) -> Table:
    """A table for `shown`: in a box on a terminal, else nothing but columns, which `awk` can read."""
    box = HEAVY_HEAD if shown.is_terminal else None
    return Table(*headers, title=title, title_justify="left", box=box, pad_edge=box is not None)
