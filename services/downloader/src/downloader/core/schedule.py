"""Who gets the next free worker."""

import heapq
from collections import Counter

from downloader.contract import Limits
from downloader.core.download import Download, Lease

type Place = tuple[int, int, Download]


class Schedule:
    """Waiting downloads by priority, then by age, within the bounds on workers and on each host.

    A download that waits goes before one that already has a worker: a second connection is for idle workers.
    Choosing looks at one head per host.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, list[Place]] = {}
        self._sharing: dict[str, list[Place]] = {}
        self._per_host: Counter[str] = Counter()
        self.busy = 0
        self.draining = False
        self.closed = False

    def offer(self, download: Download) -> None:
        """`download` may want a worker; harmless if it does not, or was offered before."""
        lanes = self._sharing if download.leases else self._waiting
        place = (-download.job.priority, download.order, download)
        lane = lanes.setdefault(download.host, [])
        if place not in lane[:1]:
            heapq.heappush(lane, place)

    def take(self, now: float) -> Lease | None:
        """Lease the best download that may have a worker now."""
        if self.closed or self.busy >= self._limits.workers:
            return None
        for lanes in (self._waiting, self._sharing):
            download = self._best(lanes, now)
            if download:
                lease = download.lease()
                self.busy += 1
                self._per_host[download.host] += 1
                self.offer(download)
                return lease
        return None

    def done(self, lease: Lease) -> None:
        """The worker of `lease` is free again."""
        host = lease.download.host
        self.busy -= 1
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]

    def _best(self, lanes: dict[str, list[Place]], now: float) -> Download | None:
        for host in list(lanes):
            self._prune(lanes, host, now)
        heads = [lane[0] for host, lane in lanes.items() if self._per_host[host] < self._limits.per_host]
        if not heads:
            return None
        best = min(heads)
        heapq.heappop(lanes[best[2].host])
        return best[2]

    def _prune(self, lanes: dict[str, list[Place]], host: str, now: float) -> None:
        lane = lanes[host]
        while lane and not self._eligible(lanes, lane[0][2], now):
            heapq.heappop(lane)
        if not lane:
            del lanes[host]

    def _eligible(self, lanes: dict[str, list[Place]], download: Download, now: float) -> bool:
        misplaced = lanes is self._waiting and bool(download.leases)
        begins = self.draining and download.version is None
        return download.wants_worker(now) and not misplaced and not begins
