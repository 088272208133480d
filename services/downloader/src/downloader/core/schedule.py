"""Who gets the next free worker."""

import heapq
from collections import defaultdict

from downloader.contract import Limits
from downloader.core.download import Download
from downloader.core.version import Lease

type Place = tuple[int, int, Download]


class Lanes:
    """One queue per host, by priority, then by age; each download is in it once at most."""

    def __init__(self) -> None:
        self._lanes: dict[str, list[Place]] = {}
        self._inside: set[Download] = set()

    def __len__(self) -> int:
        return len(self._inside)

    def push(self, download: Download) -> None:
        if download not in self._inside:
            self._inside.add(download)
            place = (-download.job.priority, download.order, download)
            heapq.heappush(self._lanes.setdefault(download.host, []), place)

    def heads(self) -> list[Place]:
        """The first of each host's queue."""
        return [lane[0] for lane in self._lanes.values()]

    def head(self, host: str) -> Download | None:
        lane = self._lanes.get(host)
        return lane[0][2] if lane else None

    def pop(self, download: Download) -> None:
        """Remove the head of a lane."""
        lane = self._lanes[download.host]
        assert lane[0][2] is download
        heapq.heappop(lane)
        self._inside.discard(download)
        if not lane:
            del self._lanes[download.host]


class Schedule:
    """Waiting downloads by priority, then by age, within the bounds on workers and on each host.

    A download that waits goes before one that already has a worker: a second connection is for idle workers.
    Choosing looks at one head per host. Whoever changes a download so that it may want a worker has to `offer`
    it: one that is found not to want any is dropped.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting, self._sharing = Lanes(), Lanes()
        self._per_host: dict[str, int] = defaultdict(int)
        self.busy = 0
        self.draining = False
        self.closed = False

    def offer(self, download: Download) -> None:
        """`download` may want a worker; harmless if it does not, or was offered before."""
        if not (download.end or download.preparing):
            (self._sharing if download.leases else self._waiting).push(download)

    def take(self, now: float) -> Lease | None:
        """Lease the best download that may have a worker now."""
        if self.closed or self.busy >= self._limits.workers:
            return None
        for lanes in (self._waiting, self._sharing):
            download = self._best(lanes, now)
            if download:
                lanes.pop(download)
                return self._lease(download)
        return None

    def done(self, lease: Lease) -> None:
        """The worker of `lease` is free again."""
        host = lease.download.host
        self.busy -= 1
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _lease(self, download: Download) -> Lease:
        lease = download.lease()
        self.busy += 1
        self._per_host[download.host] += 1
        self.offer(download)
        return lease

    def _best(self, lanes: Lanes, now: float) -> Download | None:
        for _, _, download in lanes.heads():
            self._prune(lanes, download, now)
        heads = [head for head in lanes.heads() if self._per_host[head[2].host] < self._limits.per_host]
        return min(heads)[2] if heads else None

    def _prune(self, lanes: Lanes, head: Download, now: float) -> None:
        """Drop what does not want a worker from the front of the lane that begins with `head`."""
        following: Download | None = head
        while following and not self._eligible(lanes, following, now):
            lanes.pop(following)
            following = lanes.head(head.host)

    def _eligible(self, lanes: Lanes, download: Download, now: float) -> bool:
        misplaced = lanes is self._waiting and bool(download.leases)
        begins = self.draining and download.version is None
        return download.wants_worker(now) and not misplaced and not begins
