"""From raw lines to batches: each record parsed, judged by its time, and put with those of its priority."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from log_pipeline.contract import Batch, Priority
from log_pipeline.core.formats import parse
from log_pipeline.core.levels import priority_of

CUT = 32  # a 32nd of the largest line is left to a message, each character of which takes up to 6 bytes
FUTURE = 3600.0  # seconds that a clock may be ahead
ODDITIES = ("invalid-utf8", "nul", "no-timestamp", "future-timestamp", "cut")
PRIORITIES = tuple(Priority)
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last: nested a thousand deep


class Seen(msgspec.Struct, gc=False):
    """The part of a JSON record that is looked at; the rest is checked to be JSON, and left alone."""

    level: Any = None
    severity: Any = None
    ts: Any = None
    timestamp: Any = None
    time: Any = None

    @property
    def when(self) -> object:
        return next((one for one in (self.ts, self.timestamp, self.time) if one is not None), None)

    @property
    def priority(self) -> Priority:
        return priority_of(self.severity if self.level is None else self.level)


_many = msgspec.json.Decoder(Seen)


@dataclass(slots=True)
class Sorted:
    """Batches by urgency, and counts of what was seen: by format, and of what was odd."""

    batches: list[Batch] = field(default_factory=list)
    formats: Counter[str] = field(default_factory=Counter)
    oddities: Counter[str] = field(default_factory=Counter)


def sort_block(block: bytes, source: str, now: float) -> Sorted | None:
    """Sort lines that are all JSON, ending in a newline, without touching what is in them; None if one is not."""
    try:
        seen = _many.decode_lines(block)
    except NOT_JSON:
        return None
    if len(seen) != block.count(b"\n") or b"\r" in block:  # blank lines, or JSON over several
        return None
    found = Sorted(formats=Counter(json=len(seen)))
    _look_at_times(seen, now, found.oddities)
    try:
        urgent = {priority_of(level) for level in {one.level for one in seen}}
        if None in {one.level for one in seen}:
            urgent |= {one.priority for one in seen}
    except TypeError:  # a level that is a list, say
        urgent = {one.priority for one in seen}
    if len(urgent) == 1:
        found.batches.append(Batch(source, urgent.pop(), block, len(seen)))
    else:
        lines = zip((one.priority for one in seen), block.split(b"\n"), strict=False)
        found.batches = _batches(lines, source)
    return found


def sort_records(records: Iterable[bytes], source: str, now: float, largest: float = math.inf) -> Sorted:
    """Sort records of any format, each on its own; what is not JSON becomes a line of it, and nothing is lost.

    Where the line would have more than `largest` bytes, the message is cut, and the record's bytes are in `raw`.
    """
    found, received = Sorted(), datetime.fromtimestamp(now, UTC).isoformat()
    lines = [_one(record, source, received, now, largest, found) for record in records if record.strip()]
    found.batches = _batches(lines, source)
    return found


def _one(
    record: bytes, source: str, received: str, now: float, largest: float, found: Sorted
) -> tuple[Priority, bytes]:
    stripped = record.strip()
    if stripped.startswith(b"{"):
        try:
            seen = _many.decode(stripped)
        except NOT_JSON:
            pass
        else:
            found.formats["json"] += 1
            _look_at_times([seen], now, found.oddities)
            return seen.priority, stripped.replace(b"\r", b"").replace(b"\n", b"")
    return _other(record, source, received, now, largest, found)


def _other(
    record: bytes, source: str, received: str, now: float, largest: float, found: Sorted
) -> tuple[Priority, bytes]:
    raw = None
    try:
        text = record.decode()
    except UnicodeDecodeError:
        text, raw = record.decode(errors="backslashreplace"), record
        found.oddities["invalid-utf8"] += 1
    if "\0" in text:
        raw = record
        found.oddities["nul"] += 1
    parsed = parse(text.rstrip("\r\n"))
    found.formats[parsed.format] += 1
    _count_time(parsed.timestamp, now, found.oddities)
    line = parsed.encoded(source, received, raw)
    if len(line) >= largest:
        found.oddities["cut"] += 1
        line = parsed.cut(int(largest) // CUT).encoded(source, received, record)
    return parsed.priority, line


def _batches(lines: Iterable[tuple[Priority, bytes]], source: str) -> list[Batch]:
    sorted_lines: dict[Priority, list[bytes]] = {}
    for priority, line in lines:
        sorted_lines.setdefault(priority, []).append(line)
    return [
        Batch(source, priority, b"\n".join([*sorted_lines[priority], b""]), len(sorted_lines[priority]))
        for priority in PRIORITIES
        if priority in sorted_lines
    ]


def _look_at_times(seen: Sequence[Seen], now: float, oddities: Counter[str]) -> None:
    """Count what has no time, and what is of the future. Dates of one form compare as text: a glance suffices."""
    times = [one.ts for one in seen]
    try:
        latest = max(times)
        if isinstance(latest, str) and latest < _text(now) and min(times):
            return
    except TypeError:  # missing, or not all of one kind
        pass
    for one in seen:
        _count_time(one.when, now, oddities)


def _text(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat()


def _count_time(when: object, now: float, oddities: Counter[str]) -> None:
    if when is None or when == "":
        oddities["no-timestamp"] += 1
    elif (moment := _moment(when)) is not None and moment > now + FUTURE:
        oddities["future-timestamp"] += 1


def _moment(when: object) -> float | None:
    """Seconds since the epoch; None for a form that is not understood."""
    if isinstance(when, int | float):
        return when // 1000 if when > 1e11 else when  # an integer may be larger than any float
    try:
        moment = datetime.fromisoformat(str(when).replace(",", "."))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
