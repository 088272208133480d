"""Syslog messages: RFC 5424, and what RFC 3164 found in the wild. The severity is the priority modulo 8."""

import re

from log_pipeline.core.record import Record

PRI = re.compile(r"<(\d{1,3})>")
MODERN = re.compile(
    r"1 (?P<ts>\S+) (?P<host>\S+) (?P<app>\S+) (?P<pid>\S+) (?P<msgid>\S+) "
    r"(?P<data>-|(?:\[(?:[^\]\"\\]++|\\.|\"(?:[^\"\\]++|\\.)*+\")*+\])++) ?(?P<message>.*)",
    re.DOTALL,
)
OLD = re.compile(
    r"(?P<ts>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (?P<host>\S+) "
    r"(?:(?P<app>[^\s:\[]{1,64})(?:\[(?P<pid>[^\]]*)\])?: ?)?(?P<message>.*)",
    re.DOTALL,
)
ELEMENT = re.compile(r"\[([^\s=\]\"]+)((?: [^\s=\]\"]+=\"(?:[^\"\\]++|\\.)*+\")*+)\]")
PARAMETER = re.compile(r" ([^\s=\]\"]+)=\"((?:[^\"\\]++|\\.)*+)\"")
SEVERITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")
HIGHEST = 191


def parse_syslog(text: str) -> Record | None:
    """The record in `text`; None if it does not begin with a priority of syslog."""
    found = PRI.match(text)
    if not found or int(found[1]) > HIGHEST:
        return None
    facility, severity = divmod(int(found[1]), 8)
    rest = text[found.end() :]
    matched = MODERN.fullmatch(rest) or OLD.fullmatch(rest)
    fields = (
        {name: value for name, value in matched.groupdict().items() if value not in (None, "-", "")}
        if matched
        else {}
    )
    message = fields.pop("message", "" if matched else rest).removeprefix("\ufeff")
    timestamp, data = fields.pop("ts", None), fields.pop("data", None)
    extra: dict[str, object] = {"facility": facility, **fields}
    if data:
        extra["data"] = {name: dict(_parameters(given)) for name, given in ELEMENT.findall(data)}
    return Record("syslog", message, SEVERITIES[severity], timestamp, extra)


def _parameters(text: str) -> list[tuple[str, str]]:
    return [(name, re.sub(r"\\([\"\\\]])", r"\1", value)) for name, value in PARAMETER.findall(text)]
