"""Which link is next: near a seed before far, and each host in its turn. A frontier in memory, pure."""

from collections import deque
from collections.abc import Collection, Sequence

from scraper.contract import Crawl, Link
from scraper.core.seen import Seen
from scraper.core.urls import host_of, origin_of, path_of

__all__ = ["RANKS", "Shares", "rank"]

RANKS = 8
"""Links farther away than this wait in one queue."""


def rank(link: Link, prefer: Sequence[str]) -> int:
    """How late it is the link's turn within its site: its depth, less two for what is preferred."""
    preferred = any(part in link.url for part in prefer)
    return max(0, min(RANKS - 1, link.depth - 2 * preferred))


class Shares:
    """The links of one crawl. One host is served after the other, however many links it has waiting."""

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl
        self._seen = Seen()
        self._queues: dict[str, list[deque[str] | None]] = {}
        self._turns: deque[str] = deque()
        self._accepted: dict[str, int] = {}
        self.held: set[Link] = set()
        self.waiting = self.done = 0

    @property
    def unfinished(self) -> int:
        """Waiting or held; 0 when the crawl has its fill of pages."""
        return len(self.held) + (self.waiting if self._room() > 0 else 0)

    def add(self, links: Sequence[Link]) -> int:
        """Take on those that are new and within the crawl's bounds; how many that were."""
        deepest, is_new = self._crawl.depth, self._seen.add
        new = [link for link in links if link.depth <= deepest and is_new(link.url)]
        return sum(map(self._add, new))

    def take(self, most: int, skip: Collection[str]) -> list[Link]:
        """At most `most` links, each site in turn, none of the hosts in `skip`."""
        taken: list[Link] = []
        most, passed = min(most, self._room()), 0
        while len(taken) < most and passed < len(self._turns):
            origin = self._turns[0]
            self._turns.rotate(-1)
            if host_of(origin) in skip:
                passed += 1
                continue
            taken.append(self._pop(origin))
            passed = 0
        self.held.update(taken)
        return taken

    def holds(self, link: Link) -> bool:
        return link in self.held

    def finish(self, link: Link) -> None:
        """A held link is done."""
        self.held.remove(link)
        self.done += 1

    def give_back(self, links: Sequence[Link]) -> None:
        """Held links wait again, before the others of their site."""
        for link in reversed(links):
            self.held.remove(link)
            self._queue(link).appendleft(_packed(link))
            self.waiting += 1

    def close(self) -> None:
        """Nothing waits any more."""
        self._queues.clear()
        self._turns.clear()
        self.waiting = 0

    def _room(self) -> int:
        return self._crawl.pages - self.done - len(self.held)

    def _add(self, link: Link) -> bool:
        host = host_of(origin_of(link.url))
        accepted = self._accepted.get(host, 0)
        full = accepted >= self._crawl.domain_pages or (
            not accepted and len(self._accepted) >= self._crawl.domains
        )
        if full:
            return False
        self._accepted[host] = accepted + 1
        self._queue(link).append(_packed(link))
        self.waiting += 1
        return True

    def _queue(self, link: Link) -> deque[str]:
        origin, place = origin_of(link.url), rank(link, self._crawl.prefer)
        if origin not in self._queues:
            self._queues[origin] = [None] * RANKS
            self._turns.append(origin)
        queue = self._queues[origin][place]
        if queue is None:
            queue = self._queues[origin][place] = deque()
        return queue

    def _pop(self, origin: str) -> Link:
        queues = self._queues[origin]
        place = next(place for place, queue in enumerate(queues) if queue)
        queue = queues[place]
        assert queue
        depth, hops, path = queue.popleft().split(" ", 2)
        self.waiting -= 1
        if not any(queues):
            del self._queues[origin]
            self._turns.pop()  # where it has just been rotated to
        return Link(origin + path, int(depth), int(hops))


def _packed(link: Link) -> str:
    """One string is half as large as the tuple; the origin is known by its queue."""
    return f"{link.depth} {link.hops} {path_of(link.url)}"
