"""Which part of a representation a request asks for, and whether it asks at all (RFC 9110 §13 and §14)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from functools import cached_property

_SPEC = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.ASCII | re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?"[^"]*"')
_BEYOND = 10**18
_DIGITS = 18


@dataclass(frozen=True)
class Validators:
    """What tells one version from another: a quoted entity tag, and seconds since the epoch."""

    etag: str | None = None
    modified: int | None = None

    @cached_property
    def last_modified(self) -> str | None:
        """The Last-Modified field."""
        return None if self.modified is None else formatdate(self.modified, usegmt=True)


@dataclass(frozen=True)
class Selection:
    """The answer's status and the bytes from start up to, not including, stop that go with it."""

    status: int
    start: int = 0
    stop: int = 0


def select(method: str, headers: Mapping[str, str], validators: Validators, size: int) -> Selection:
    """Evaluate preconditions in the order of RFC 9110 §13.2.2, then the range. Pure; never raises.

    A field that is not well formed is ignored, as is a set of several ranges (§14.2 allows both).
    """
    status = _precondition(headers, validators)
    if status is not None:
        return Selection(status)
    whole = Selection(200, 0, size)
    if method != "GET" or "Range" not in headers or not _range_applies(headers, validators):
        return whole
    return _range(headers["Range"], size) or whole


def _precondition(headers: Mapping[str, str], validators: Validators) -> int | None:
    if "If-Match" in headers:
        if not _any_matches(headers["If-Match"], validators.etag, weak=False):
            return 412
    elif "If-Unmodified-Since" in headers and _modified_since(headers["If-Unmodified-Since"], validators):
        return 412
    if "If-None-Match" in headers:
        return 304 if _any_matches(headers["If-None-Match"], validators.etag, weak=True) else None
    if "If-Modified-Since" in headers and _modified_since(headers["If-Modified-Since"], validators) is False:
        return 304
    return None


def _any_matches(field: str, etag: str | None, *, weak: bool) -> bool:
    if field.strip() == "*":
        return True
    return any(_matches(tag, etag, weak=weak) for tag in _TAG.findall(field))


def _matches(tag: str, etag: str | None, *, weak: bool) -> bool:
    """Compare as §8.8.3.2 does: strongly, a weak tag equals nothing, not even itself."""
    if etag is None:
        return False
    if weak:
        return tag.removeprefix("W/") == etag.removeprefix("W/")
    return tag == etag and not tag.startswith("W/")


def _modified_since(field: str, validators: Validators) -> bool | None:
    """Return whether it changed after that date; None where either date is missing or malformed."""
    try:
        since = parsedate_to_datetime(field).timestamp()
    except (ValueError, OverflowError):
        return None
    return None if validators.modified is None else validators.modified > since


def _range_applies(headers: Mapping[str, str], validators: Validators) -> bool:
    """If-Range (§13.1.5): a strong match of the tag, or exactly the date that was sent."""
    field = headers.get("If-Range")
    if field is None:
        return True
    if field.endswith('"'):
        return _matches(field, validators.etag, weak=False)
    return field == validators.last_modified


def _range(field: str, size: int) -> Selection | None:
    match = _SPEC.fullmatch(field)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return _suffix(_number(match[2]), size)
    first, last = _number(match[1]), _number(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return Selection(206, first, min(last + 1, size)) if first < size else Selection(416)


def _suffix(count: int, size: int) -> Selection | None:
    """The last bytes. Of nothing, all is the answer: no Content-Range could describe an empty part."""
    if count == 0:
        return Selection(416)
    return Selection(206, max(0, size - count), size) if size else None


def _number(digits: str) -> int:
    """Return the number; anything beyond every possible size may as well be one number."""
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _DIGITS else _BEYOND
