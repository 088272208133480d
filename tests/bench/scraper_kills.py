"""Kills replicas in the middle of a crawl of 50,000 pages that two of them share, and starts them again.

Each page must be in the output once, and no host asked more often than its bucket allows, whoever asks. Counted is
what the web was asked for twice. It needs no idle machine.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from crawl_sites import Sites
from scraper_peers import redis_in
from stack import free_port

SITES, REPLICAS = 20, range(2)
KILLS: Sequence[tuple[float, Sequence[int]]] = ((0.2, (0,)), (0.4, (1,)), (0.6, (0, 1)), (0.8, (0,)))
"""When so much of the crawl is done, these replicas die."""
SHORTEST, PATIENCE = 50.0, 240.0
"""Seconds that a crawl takes at least, for a replica needs some to start; and that it may take."""
BURST, ARRIVAL = 10, 0.5
"""The bucket; and seconds by which requests on their way may draw nearer to each other, on a busy machine."""


class Replica:
    """One process of the service on a port of its own."""

    def __init__(self, redis: str, web: str, rate: float) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {
            **os.environ, "HOST": "127.0.0.1", "PORT": str(port), "REDIS_URL": redis, "LAB_ORIGIN_URL": web,
            "LOG_LEVEL": "error", "SCRAPER_WORKERS": "64", "SCRAPER_PER_HOST": "16", "SCRAPER_RATE": str(rate),
            "SCRAPER_BURST": str(BURST),
        }  # fmt: skip
        self.start()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        command = [sys.executable, "-m", "scraper"]
        self.process = subprocess.Popen(command, env=self._environment, stdout=quiet, stderr=quiet)
        until("a replica is ready", lambda: self.get("/ready"))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> Any:
        """JSON; None while it does not answer."""
        try:
            return json.load(self.open(path))
        except (OSError, HTTPException):
            return None

    def open(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        return urllib.request.urlopen(request, timeout=30)


@dataclass(frozen=True)
class Outcome:
    """What a crawl brought, and what it cost."""

    pages: int
    missing: int
    kept_twice: int
    asked_twice: int
    excess: float
    seconds: float

    def is_right(self) -> bool:
        is_polite = self.excess <= ARRIVAL * self.pages / SITES / SHORTEST
        return not (self.missing or self.kept_twice) and 100 * self.asked_twice < self.pages and is_polite

    def __str__(self) -> str:
        share = 100 * self.asked_twice / self.pages
        return (
            f"{self.pages} pages in {self.seconds:.0f} s: {self.missing} are missing, {self.kept_twice} were kept "
            f"twice, {self.asked_twice} were asked for twice ({share:.2f} %); a host's fullest window had "
            f"{self.excess:+.1f} requests, compared with burst + rate x seconds"
        )


def crawled(pages: int) -> Outcome:
    """One crawl, with all the kills."""
    sites = Sites(SITES, pages // SITES)
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        web, redis = ends.enter_context(sites.serving()), ends.enter_context(redis_in(folder))
        rate = pages / SITES / SHORTEST
        replicas = [Replica(redis, web, rate) for _ in REPLICAS]
        for replica in replicas:
            ends.callback(replica.kill)
        began = time.monotonic()
        crawl = begun(replicas[0], sites)
        for share, victims in KILLS:
            so_far = partial(is_done, replicas, crawl, share * pages)
            until(f"{share:.0%} of the pages are kept, and both replicas are at it", so_far)
            for victim in victims:
                replicas[victim].kill()
            for victim in victims:
                replicas[victim].start()
        until("the crawl is done", lambda: look(replicas, crawl)["state"] == "done")
        seconds, excess = time.monotonic() - began, sites.excess(rate, BURST)
        return judged(sites, kept(replicas[0], crawl), excess, seconds)


def begun(replica: Replica, sites: Sites) -> str:
    seeds = [f"http://{host}/1" for host in sites.hosts]
    wanted = {"seeds": seeds, "depth": 100, "pages": 1_000_000, "domain_pages": 1_000_000}
    crawl: str = json.load(replica.open("/v1/crawls", wanted))["id"]
    return crawl


def look(replicas: Sequence[Replica], crawl: str) -> dict[str, Any]:
    """The crawl, as whichever replica answers sees it."""
    return next(filter(None, (one.get(f"/v1/crawls/{crawl}") for one in replicas)), {"state": "", "done": 0})


def is_done(replicas: Sequence[Replica], crawl: str, pages: float) -> bool:
    """Whether so many are kept, and every replica had its share in that."""
    found = look(replicas, crawl)
    if found["state"] == "done":
        raise SystemExit("the crawl was done before all were killed: it needs more pages")
    return found["done"] >= pages and all(replica.get("/v1/domains") for replica in replicas)


def kept(replica: Replica, crawl: str) -> Counter[str]:
    with replica.open(f"/v1/crawls/{crawl}/export") as lines:
        return Counter(json.loads(line)["url"] for line in lines)


def judged(sites: Sites, output: Counter[str], excess: float, seconds: float) -> Outcome:
    urls = sites.urls
    again = sum(count - 1 for count in sites.asked.values())
    return Outcome(len(urls), len(urls - output.keys()), output.total() - len(output), again, excess, seconds)


def until(what: str, happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE:g} s in vain until {what}")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="crawls")
    parser.add_argument("--pages", type=int, default=50_000)
    parser.add_argument("--busy", action="store_true", help="has no effect: nothing here depends on it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that what was started is also ended
    outcomes = []
    for _ in range(options.rounds):
        outcomes.append(crawled(options.pages))
        print(outcomes[-1], flush=True)
    sys.exit(not all(outcome.is_right() for outcome in outcomes))


if __name__ == "__main__":
    main()
