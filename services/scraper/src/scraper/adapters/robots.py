"""robots.txt on Protego, asked once for each URL."""

from functools import lru_cache

from protego import Protego

from scraper.core.robots import LARGEST
from scraper.core.robots_text import US, ours

__all__ = ["AGENT", "RobotsTxt", "parse_robots"]

AGENT = "concurrency-lab"
"""Our product token (RFC 9309, 2.2.1)."""
REMEMBERED = 512


class RobotsTxt:
    """See `contract.Rules`. Asking a text of 5,000 rules takes half a millisecond the first time."""

    def __init__(self, text: str, agent: str = AGENT) -> None:
        self._parsed = Protego.parse(ours(text, agent))
        self.delay: float | None = self._parsed.crawl_delay(US)
        self.allows = lru_cache(REMEMBERED)(self._allows)

    def _allows(self, url: str) -> bool:
        return bool(self._parsed.can_fetch(url, US))


def parse_robots(body: bytes) -> RobotsTxt:
    """Rules of what was received; beyond 500 KiB, and in its broken last line, it says nothing."""
    if len(body) > LARGEST:
        body = body[:LARGEST].rpartition(b"\n")[0]
    return RobotsTxt(body.decode("utf-8", "replace"))
