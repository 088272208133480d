"""What an answer means for a download (RFC 9110: ranges §14, validators §8.8, conditions §13)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from downloader.contract import ContentChanged, HttpError, ProtocolError

CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)


class RangesUnusable(ProtocolError):
    """This server cannot be trusted with ranges: fetch the file whole, over one connection."""


class DateNeeded(ProtocolError):
    """This server does not take its own ETag in If-Range: ask again with the date."""


@dataclass(frozen=True, slots=True)
class Validator:
    """What identifies one version of a file. A weak ETag can show a change, but cannot vouch for bytes."""

    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str], total: int | None) -> "Validator":
        return cls(headers.get("etag"), headers.get("last-modified"), total)

    @property
    def strong_etag(self) -> str | None:
        return self.etag if self.etag and not self.etag.startswith("W/") else None

    @property
    def resumable(self) -> bool:
        """Whether bytes of two answers may be joined under it."""
        return bool(self.strong_etag or self.last_modified)

    def if_range(self, by_date: bool) -> str | None:
        """The value for If-Range: a strong ETag, else (or when the server refused that) the date."""
        return self.last_modified if by_date or not self.strong_etag else self.strong_etag

    def contradicts(self, other: "Validator") -> bool:
        """Whether both say something about the same thing, and not the same."""
        pairs = (
            (self.etag, other.etag),
            (self.last_modified, other.last_modified),
            (self.total, other.total),
        )
        return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


class Asked(NamedTuple):
    """What was asked for: bytes from `start` to before `end`, of the version `known` if there is one."""

    start: int = 0
    end: int | None = None
    known: Validator | None = None
    whole: bool = False
    by_date: bool = False

    def headers(self) -> dict[str, str]:
        headers = {"accept-encoding": "identity"}
        if not self.whole:
            headers["range"] = f"bytes={self.start}-{'' if self.end is None else self.end - 1}"
            condition = self.known.if_range(self.by_date) if self.known else None
            if condition:
                headers["if-range"] = condition
        return headers


class Offer(NamedTuple):
    """What the body of an answer is: bytes from `start` to before `end` of the version `validator`."""

    validator: Validator
    end: int | None
    ranged: bool


def interpret(status: int, headers: Mapping[str, str], asked: Asked, now: float) -> Offer:
    """The offer an answer makes, or the `TransferError` it amounts to. `now` in epoch seconds."""
    if status == 206:
        return _partial(headers, asked)
    if status == 200:
        return _full(headers, asked)
    if status == 416:
        return _unsatisfiable(asked)
    raise HttpError(status, retry_after(headers.get("retry-after"), now))


def _partial(headers: Mapping[str, str], asked: Asked) -> Offer:
    found = CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    if asked.whole:
        raise ProtocolError("206 to a request without Range")
    if not found or found[1] is None:
        raise RangesUnusable(f"206 with Content-Range {headers.get('content-range')!r} is no answer to this")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RangesUnusable("a range of an encoded file, although identity was asked for")
    start, end = int(found[1]), int(found[2]) + 1
    total = None if found[3] == "*" else int(found[3])
    offer = Offer(Validator.of(headers, total), end, ranged=True)
    if asked.known and asked.known.contradicts(offer.validator):
        raise ContentChanged("the file on the server is another one than the part that is here")
    if start != asked.start or not start < end <= min(asked.end or end, total or end):
        raise RangesUnusable(f"asked from byte {asked.start}, got Content-Range {headers['content-range']!r}")
    length = _length(headers)
    if length not in (None, end - start):
        raise ProtocolError(f"Content-Length {length} contradicts Content-Range {headers['content-range']!r}")
    return offer


def _full(headers: Mapping[str, str], asked: Asked) -> Offer:
    offer = Offer(Validator.of(headers, _length(headers)), None, ranged=False)
    if not asked.known or asked.whole:
        return offer
    if asked.known.contradicts(offer.validator):
        raise ContentChanged("the file on the server is another one than the part that is here")
    if not asked.by_date and asked.known.strong_etag and asked.known.last_modified:
        raise DateNeeded("the server does not accept its own ETag in If-Range")
    raise RangesUnusable("the server answered with the whole file when asked to resume")


def _unsatisfiable(asked: Asked) -> Offer:
    if asked.whole:
        raise HttpError(416)
    if asked.known:
        raise ContentChanged(f"the file on the server no longer reaches byte {asked.start}")
    raise RangesUnusable("no first byte to be had: the file is empty, or ranges are not understood")


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by Retry-After in either form (RFC 9110 §10.2.3); None when it says nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _length(headers: Mapping[str, str]) -> int | None:
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        raise ProtocolError(f"Content-Length {length!r} is no number of bytes")
    return int(length)
