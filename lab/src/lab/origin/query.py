"""What a request's query asks of a file: a version, which validators, and what shall go wrong."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.origin.content import NEWEST_VERSION
from lab.origin.faults import FAULTS, parse
from lab.origin.problems import BadInput

_OTHERS = ("version", "etag", "lastmod", "key", "to", "hop")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,7}", re.ASCII)


@dataclass(frozen=True)
class Query:
    """A checked query. `key` tells sequences of requests for one path apart; `hop` counts a redirect loop."""

    version: int = 0
    etag: str = "strong"
    dated: bool = True
    key: str = ""
    to: str = "elsewhere.lab.test"
    hop: int = 0
    faults: Mapping[str, float] = field(default_factory=dict)


PLAIN = Query()


def parse_query(query: Mapping[str, str], *, strict: bool) -> Query:
    """Check a query; if strict, it may hold nothing unknown. Raises BadInput."""
    unknown = sorted(query.keys() - FAULTS.keys() - set(_OTHERS))
    if strict and unknown:
        near = difflib.get_close_matches(unknown[0], [*FAULTS, *_OTHERS], n=1, cutoff=0.4)
        raise BadInput(f"no query parameter {unknown[0]!r} here; did you mean {(near or ['version'])[0]!r}?")
    return Query(
        version=_number("version", query.get("version", "0"), NEWEST_VERSION),
        etag=_one_of("etag", query.get("etag", "strong"), "strong", "weak", "none"),
        dated=_one_of("lastmod", query.get("lastmod", "date"), "date", "none") == "date",
        key=query.get("key", ""),
        to=_host(query.get("to", PLAIN.to)),
        hop=_number("hop", query.get("hop", "0"), NEWEST_VERSION),
        faults=parse({name: value for name, value in query.items() if name in FAULTS}),
    )


def _number(name: str, text: str, largest: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) > largest:
        raise BadInput(f"{name}={text!r} is not a whole number from 0 to {largest}")
    return int(text)


def _one_of(name: str, text: str, *allowed: str) -> str:
    if text not in allowed:
        raise BadInput(f"{name}={text!r} is none of: {', '.join(allowed)}")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise BadInput(f"to={text!r} is not a host: write name or name:port")
    return text
