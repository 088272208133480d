"""Places where a site has no end: calendars, and paths that repeat themselves."""

import re
from collections import defaultdict

from scraper.core.urls import origin_of, path_of

__all__ = ["Traps"]

REPEATED = re.compile(r"(/[^/?]+(?:/[^/?]+)?)\1\1")
DEEPEST = 20
CALENDAR = re.compile(
    r"/(?:19|20|21)\d\d[/-](?:0?[1-9]|1[0-2])(?:[/-](?:0?[1-9]|[12]\d|3[01]))?/?(?:\?|$)"
    r"|[?&](?:year|month|date|day)=",
    re.I,
)
"""Named by nothing but its date: what has a name behind that is an article."""
CALENDAR_PAGES, MOST_SITES = 50, 10_000


class Traps:
    """What one engine has met: at most `CALENDAR_PAGES` pages of each site's calendar are worth a visit."""

    def __init__(self) -> None:
        self._dated: dict[str, set[str]] = defaultdict(set)

    def holds(self, url: str) -> bool:
        """Whether `url` leads nowhere."""
        path = path_of(url)
        endless, dated = _is_endless(path), _is_dated(path)
        if not dated or endless or len(self._dated) > MOST_SITES:
            return endless
        pages = self._dated[origin_of(url)]
        if len(pages) < CALENDAR_PAGES:
            pages.add(url)
        return url not in pages


def _is_endless(path: str) -> bool:
    """Whether it repeats itself or goes too deep. Most paths are too short for that, and not searched."""
    slashes = path.count("/")
    return slashes > DEEPEST or (slashes > 2 and REPEATED.search(path) is not None)


def _is_dated(path: str) -> bool:
    """Whether it is a page of a calendar."""
    return ("/" in path[1:] or "=" in path) and CALENDAR.search(path) is not None
