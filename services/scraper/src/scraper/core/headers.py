"""What an answer's header fields say to a crawler."""

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["is_page", "max_age", "retry_after", "robots_tag"]

PAGES = ("text/html", "application/xhtml+xml")
MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})", re.I)
NO_STORE = re.compile(r"(?:^|[,\s])no-(?:store|cache)\b", re.I)
AGENT = re.compile(r"([a-z0-9_-]+)\s*:\s*(.*)", re.I)
VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
"""Rules of X-Robots-Tag that have a value, and so look like the name of an agent."""


def is_page(headers: Mapping[str, str]) -> bool:
    """Whether the answer holds links to follow, by its content type."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in PAGES


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait (RFC 9110, 10.2.3), from a number or a date; `now` in seconds since the epoch."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year, or a time zone, that no calendar has
        return None
    return max(0.0, when.replace(tzinfo=when.tzinfo or UTC).timestamp() - now)


def max_age(headers: Mapping[str, str], otherwise: float, most: float) -> float:
    """For how many seconds the answer may be kept (RFC 9111)."""
    value = headers.get("cache-control", "")
    if NO_STORE.search(value):
        return 0.0
    found = MAX_AGE.search(value)
    return min(most, float(found[1])) if found else otherwise


def robots_tag(headers: Mapping[str, str], agent: str) -> tuple[bool, bool]:
    """`(nofollow, noindex)` of X-Robots-Tag: what is said to everybody, or to `agent`."""
    value = headers.get("x-robots-tag", "")
    if not value:
        return False, False
    asked, meant = set[str](), True
    for part in value.lower().split(","):
        named = AGENT.fullmatch(part.strip())
        if named and named[1] not in VALUED:
            meant, part = named[1] == agent, named[2]
        if meant:
            asked.add(part.strip())
    return bool(asked & {"nofollow", "none"}), bool(asked & {"noindex", "none"})
