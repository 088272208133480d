"""The load test of A1: what its users do, as functions of a visitor, whoever runs them.

Everything follows from the visitor's random numbers. Each visit deletes the crawl it began, however it ends.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab_kit.visits import Visitor

SITES = 20
FINAL = ("done", "cancelled")
ONE = "/v1/crawls/[id]"
POLL = (0.1, 1.0)  # seconds between two looks: first, longest
PATIENCE = 120.0
GENTLE_NAME = "gentle load"
"""What the crawls of the background load are called: only these are its to remove."""


type Record = dict[str, Any]
type Visit = Callable[[Visitor], None]


def crawl(visitor: Visitor) -> None:
    """Crawl two pages deep from one site, look until it has ended, and count what came."""
    _crawl(visitor, pages=visitor.random.choice((10, 20, 40)))


def browse(visitor: Visitor) -> None:
    """Crawl a little, then read the pages and the graph."""
    record = _begin(visitor, pages=10)
    try:
        _end_of(visitor, record["id"])
        _, page = visitor.ask("GET", f"/v1/crawls/{record['id']}/pages?limit=5", name=f"{ONE}/pages")
        seed = page["items"][0]["url"] if page["items"] else "http://site-1.lab.test/"
        visitor.ask("GET", f"/v1/crawls/{record['id']}/links?url={seed}", name=f"{ONE}/links")
        visitor.ask("GET", f"/v1/crawls/{record['id']}/export?format=dot", name=f"{ONE}/export")
    finally:
        _remove(visitor, record["id"])


def follow(visitor: Visitor) -> None:
    """Read server-sent events until the crawl has ended."""
    record = _begin(visitor, pages=10)
    try:
        _, events = visitor.ask("GET", f"/v1/crawls/{record['id']}/events", name=f"{ONE}/events")
        data = [line.removeprefix("data:") for line in events.splitlines() if line.startswith("data:")]
        _judge(visitor, json.loads(data[-1]), 10)
    finally:
        _remove(visitor, record["id"])


def pause_and_resume(visitor: Visitor) -> None:
    """Pause a crawl at once, and resume it a moment later; it may be done before that."""
    record = _begin(visitor, pages=20)
    try:
        visitor.ask("POST", f"/v1/crawls/{record['id']}/pause", name=f"{ONE}/pause", allow=(409,))
        visitor.pause(visitor.random.uniform(0.1, 0.5))
        visitor.ask("POST", f"/v1/crawls/{record['id']}/resume", name=f"{ONE}/resume", allow=(409,))
        _judge(visitor, _end_of(visitor, record["id"]), 20)
    finally:
        _remove(visitor, record["id"])


def look_around(visitor: Visitor) -> None:
    """What a dashboard asks for."""
    visitor.ask("GET", "/v1/crawls", name="/v1/crawls")
    visitor.ask("GET", "/v1/domains", name="/v1/domains")


VISITS: Mapping[Visit, int] = {crawl: 6, browse: 2, follow: 2, pause_and_resume: 1, look_around: 4}


def gentle(visitor: Visitor) -> None:
    """A small crawl over a few sites, so that hosts, buckets and frontier have something to show."""
    _crawl(visitor, pages=visitor.random.choice((20, 40, 60)), name=GENTLE_NAME)


def tidy(visitor: Visitor) -> None:
    """Remove the crawls of a gentle load that did not get round to it."""
    for record in visitor.ask("GET", "/v1/crawls", name="/v1/crawls")[1]:
        if record["name"] == GENTLE_NAME:
            _remove(visitor, record["id"])


def _crawl(visitor: Visitor, pages: int, name: str = "") -> None:
    record = _begin(visitor, pages, name)
    try:
        _judge(visitor, _end_of(visitor, record["id"]), pages)
    finally:
        _remove(visitor, record["id"])


def _begin(visitor: Visitor, pages: int, name: str = "") -> Record:
    seeds = [
        f"http://site-{number}.lab.test/page/1" for number in visitor.random.sample(range(1, SITES + 1), 3)
    ]
    body = {"seeds": seeds, "pages": pages, "depth": 3, "name": name}
    record: Record = visitor.ask("POST", "/v1/crawls", body=body)[1]
    return record


def _end_of(visitor: Visitor, crawl_id: str) -> Record:
    (delay, longest), waited = POLL, 0.0
    while True:
        record: Record = visitor.ask("GET", f"/v1/crawls/{crawl_id}", name=ONE)[1]
        if record["finished"] or waited > PATIENCE:
            return record
        visitor.pause(delay)
        waited += delay
        delay = min(1.5 * delay, longest)


def _judge(visitor: Visitor, record: Record, pages: int) -> None:
    error = None
    if record["state"] != "done":
        error = f"still {record['state']} after {PATIENCE:g} s" if not record["finished"] else "cancelled"
    elif record["done"] != pages:
        error = f"done with another number of pages than {pages}"
    seconds = record["finished"] - record["created"] if record["finished"] else PATIENCE
    visitor.measure("crawl to done", seconds, 0, error)


def _remove(visitor: Visitor, crawl_id: str) -> None:
    """Delete a crawl; cancel it first if it has not ended."""
    visitor.ask("POST", f"/v1/crawls/{crawl_id}/cancel", name=f"{ONE}/cancel", allow=(404, 409))
    visitor.ask("DELETE", f"/v1/crawls/{crawl_id}", name=ONE, allow=(404, 409))
