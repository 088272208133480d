"""Which format a line has, and what it says: the first parser that knows it wins."""

import re
from collections.abc import Callable

from log_pipeline.core.record import Record
from log_pipeline.core.syslog import parse_syslog

ACCESS = re.compile(
    r'(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<ts>[^\]]+)\] "(?P<request>(?:[^"\\]++|\\.)*+)" (?P<status>\d{3}) '
    r'(?P<size>\d+|-)(?: "(?P<referer>(?:[^"\\]++|\\.)*+)" "(?P<agent>(?:[^"\\]++|\\.)*+)")?'
)
NAMES = "DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL"
PYTHON = (
    re.compile(rf"(?P<level>{NAMES}):(?P<logger>[^:\s]+):(?P<message>.*)", re.DOTALL),
    re.compile(
        r"(?P<ts>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?\S*) (?:- )?"
        rf"(?:(?P<logger>[\w.]+) (?:- )?)??\[?(?P<level>{NAMES})\]?:? (?:- )?(?P<message>.*)",
        re.DOTALL,
    ),
)
PAIR = re.compile(r'([A-Za-z_][\w.\-/]*)=("(?:[^"\\]++|\\.)*+"|[^\s"=]*)(?:\s+|$)')
LEVEL_NAMES, TIME_NAMES, TEXT_NAMES = (
    ("level", "lvl", "severity"),
    ("ts", "time", "timestamp"),
    ("msg", "message", "event"),
)
TRACEBACK = "Traceback (most recent call last):"


def parse(text: str) -> Record:
    """What `text` says; a line of no known format is its own message, of the format `raw`."""
    for parser in PARSERS:
        record = parser(text)
        if record:
            return record
    return Record("raw", text, "error" if TRACEBACK in text else None)


def parse_access(text: str) -> Record | None:
    """The common and the combined log format of web servers; an answer of 500 or more is an error."""
    found = ACCESS.fullmatch(text)
    if not found:
        return None
    fields = {name: value for name, value in found.groupdict().items() if value not in (None, "-")}
    status, timestamp, request = int(fields.pop("status")), fields.pop("ts"), fields.pop("request", "")
    level = "error" if status >= 500 else "info"
    return Record("access", request, level, timestamp, {"status": status, **fields})


def parse_python(text: str) -> Record | None:
    """What Python's logging writes by default, and the usual variant that begins with a date."""
    found = next((match for pattern in PYTHON if (match := pattern.fullmatch(text))), None)
    if not found:
        return None
    fields = found.groupdict()
    extra = {"logger": fields["logger"]} if fields["logger"] else {}
    return Record("python", fields["message"], fields["level"].lower(), fields.get("ts"), extra)


def parse_logfmt(text: str) -> Record | None:
    """Pairs of key=value, at least two, and nothing else."""
    pairs, end = dict[str, str](), 0
    while found := PAIR.match(text, end):
        pairs[found[1]] = _unquoted(found[2])
        end = found.end()
    if len(pairs) < 2 or end != len(text):
        return None
    level, timestamp, message = (_first(pairs, names) for names in (LEVEL_NAMES, TIME_NAMES, TEXT_NAMES))
    return Record("logfmt", message or "", level, timestamp, pairs)


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _first(pairs: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((pairs.pop(name) for name in names if name in pairs), None)


PARSERS: tuple[Callable[[str], Record | None], ...] = (parse_syslog, parse_access, parse_python, parse_logfmt)
FORMATS = ("json", "syslog", "access", "python", "logfmt", "raw")
