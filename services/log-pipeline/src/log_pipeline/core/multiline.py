"""Lines that belong together: a Python traceback is one record, with the line that announced it."""

from collections.abc import Iterable

TRACEBACK, CHAINED = b"Traceback (most recent call last):", (b"During handling of", b"The above exception")
LONGEST, LARGEST = 1000, 16 * 1024 * 1024  # lines, bytes: a traceback that never ends is not one


class Joiner:
    """Joins the lines of one stream, keeping the last record until it is known to be whole.

    A line that is indented belongs to the one before; a traceback ends with the first line that is not, and goes
    on if another exception follows from it.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._held: list[bytes] = []
        self._open = False

    @property
    def pending(self) -> int:
        """Bytes held back, their newlines included."""
        return sum(len(line) + 1 for line in self._held)

    def feed(self, lines: Iterable[bytes]) -> list[bytes]:
        """The records that are whole by now; the last line is held back, for it may go on."""
        whole = list[bytes]()
        for line in lines:
            if not self._belongs(line):
                whole += self.flush()
                self._open = line.startswith(TRACEBACK)
            self._held.append(line)
        return whole

    def flush(self) -> list[bytes]:
        """What was held back, as one record: nothing more comes for now."""
        while self._held and not self._held[-1]:
            self._held.pop()
        held, self._held, self._open = self._held, [], False
        return [b"\n".join(held)] if held else []

    def _belongs(self, line: bytes) -> bool:
        if not self._held or len(self._held) >= LONGEST or self.pending + len(line) > self._largest:
            return False
        if line.startswith(TRACEBACK):
            self._open = True
            return True
        if line[:1] in (b" ", b"\t"):
            return True
        if self._open:
            self._open = False  # the exception itself: the last line, unless another follows
            return True
        return self._in_chain(line)

    def _in_chain(self, line: bytes) -> bool:
        traced = any(held.startswith(TRACEBACK) for held in self._held)
        return traced and (not line or line.startswith(CHAINED))
