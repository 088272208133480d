"""What an attempt to get robots.txt means, and for how long (RFC 9309, 2.3.1 and 2.4)."""

from collections.abc import Mapping
from enum import StrEnum

from scraper.core.headers import max_age

__all__ = ["LARGEST", "MOST_REDIRECTS", "Meaning", "lifetime", "meaning"]

DAY, HOUR = 86_400.0, 3600.0
LARGEST = 500 * 1024
"""Bytes that are read of a robots.txt; the rest is as if it were not there."""
MOST_REDIRECTS = 5
UNAVAILABLE_SECONDS = 60.0


class Meaning(StrEnum):
    """What is allowed: what the text says, everything, or nothing for now."""

    RULES = "rules"
    EVERYTHING = "everything"
    NOTHING = "nothing"


def meaning(status: int | None) -> Meaning:
    """Of a final status; None: no answer at all. 429 asks for less, so it is no permission."""
    if status is None or status >= 500 or status == 429:
        return Meaning.NOTHING
    return Meaning.RULES if 200 <= status < 300 else Meaning.EVERYTHING


def lifetime(found: Meaning, headers: Mapping[str, str]) -> float:
    """Seconds until it has to be asked for again: a day at most, and soon if it could not be had."""
    if found is Meaning.NOTHING:
        return UNAVAILABLE_SECONDS
    return max(UNAVAILABLE_SECONDS, max_age(headers, HOUR, DAY))
