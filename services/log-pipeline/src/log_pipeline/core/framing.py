"""From a stream of bytes to whole records: lines, or frames of counted octets (RFC 6587)."""

import re
from dataclasses import dataclass

COUNT = re.compile(rb"([1-9]\d{0,8}) (?=<)")
PARTIAL_COUNT = re.compile(rb"[1-9]\d{0,8} ?")


@dataclass(slots=True)
class Framer:
    """Cuts one stream. What has begun and not ended is kept until the rest comes, or until `flush`.

    A stream whose first frame begins with a number, a space and `<` counts octets; any other has lines. A record
    longer than `longest` bytes is cut there, and counted in `cut`: its parts are records.
    """

    longest: int
    cut: int = 0
    _rest: bytes = b""
    _counts: bool | None = None

    @property
    def pending(self) -> int:
        """Bytes of what has begun."""
        return len(self._rest)

    def feed(self, data: bytes) -> bytes | list[bytes]:
        """What has become whole: a block of lines that ends in a newline, or a list of records."""
        data = self._rest + data if self._rest else data
        if self._counts is None and not self._decide(data):
            self._rest = data
            return b""
        return self._frames(data) if self._counts else self._lines(data)

    def flush(self) -> bytes | list[bytes]:
        """What was begun, as it is: the stream has ended."""
        rest, self._rest = self._rest, b""
        if self._counts:
            return [rest] if rest else []
        return rest + b"\n" if rest else b""

    def _decide(self, data: bytes) -> bool:
        """Whether the first bytes tell how this stream is framed."""
        if not data or PARTIAL_COUNT.fullmatch(data):
            return False
        self._counts = bool(COUNT.match(data))
        return True

    def _lines(self, data: bytes) -> bytes:
        end = data.rfind(b"\n") + 1
        block, self._rest = (data, b"") if end == len(data) else (data[:end], data[end:])
        while len(self._rest) > self.longest:
            block += self._rest[: self.longest] + b"\n"
            self._rest = self._rest[self.longest :]
            self.cut += 1
        return block

    def _frames(self, data: bytes) -> list[bytes]:
        records, start = list[bytes](), 0
        while found := COUNT.match(data, start):
            size, begin = int(found[1]), found.end()
            if size > self.longest:
                size = self.longest
                self.cut += 1
            if len(data) < begin + size:
                break
            records.append(data[begin : begin + size])
            start = begin + size
        self._rest = data[start:]
        if self._rest and not found and not PARTIAL_COUNT.fullmatch(self._rest):
            self._counts = False  # it is lines from here on
            records += self._lines(self._rest).split(b"\n")[:-1]
        return records
