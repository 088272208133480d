"""Where links lead: most links of a site are on every page of it, so each is decided once."""

from collections.abc import Callable, Sequence

from scraper.core.urls import join, origin_of

__all__ = ["Targets"]

REMEMBERED = 20_000
"""Links, of all sites together, whose target is known."""


class Targets:
    """`wanted` decides; what it once said of a rooted link of a site stands until that is forgotten."""

    def __init__(self, wanted: Callable[[str], bool]) -> None:
        self._wanted = wanted
        self._sites: dict[str, _Rooted] = {}
        self._room = REMEMBERED

    def of(self, base: str, hrefs: Sequence[str]) -> list[str]:
        """Each wanted target of a page's links once, in the order of the page."""
        rooted = self._rooted(origin_of(base))
        found = dict.fromkeys(
            [rooted[href] if href[:1] == "/" else self.decided(base, href) for href in hrefs]
        )
        return [target for target in found if target]

    def decided(self, base: str, href: str) -> str | None:
        """Where a link leads, None if nowhere that is wanted."""
        self._room -= 1
        target = join(base, href)
        return target if target and self._wanted(target) else None

    def _rooted(self, origin: str) -> "_Rooted":
        if self._room <= 0:
            self._sites.clear()
            self._room = REMEMBERED
        return self._sites.get(origin) or self._sites.setdefault(origin, _Rooted(self, origin))


class _Rooted(dict[str, str | None]):
    """Of one site, the links that begin with a slash."""

    def __init__(self, targets: Targets, origin: str) -> None:
        self._targets, self._origin = targets, origin

    def __missing__(self, href: str) -> str | None:
        target = self[href] = self._targets.decided(self._origin, href)
        return target
