"""The scraper as its users meet it: a real process, a real origin and a real Valkey, on free ports."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from redis import Redis
from tests.integration.service import Service, eventually

from lab.origin.testing import RunningOrigin, running

FINAL = {"done", "cancelled"}


class Answer(NamedTuple):
    """One answer; `body` is the JSON in it, or else the text."""

    status: int
    body: Any


class Scraper(Service):
    """The service: one process at a time, on one port."""

    def __init__(self, folder: Path, redis_url: str, origin_url: str, **settings: object) -> None:
        self.redis = Redis.from_url(redis_url, decode_responses=True)
        super().__init__("scraper", folder, redis_url=redis_url, lab_origin_url=origin_url, **settings)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send JSON; bytes claim to be that already."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        got = self._pool.request(method, self.url + path, headers=headers, body=data)
        is_json = got.headers.get("content-type", "") in ("application/json", "application/problem+json")
        return Answer(got.status, json.loads(got.data) if is_json else got.data.decode())

    def end(self) -> None:
        self.kill()
        self.redis.close()

    def create(self, *seeds: str, **about: object) -> str:
        """Have a crawl accepted; its id."""
        answer = self.ask("POST", "/v1/crawls", {"seeds": seeds, **about})
        assert answer.status == 202, answer.body
        return str(answer.body["id"])

    def look(self, crawl_id: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/v1/crawls/{crawl_id}")
        assert answer.status == 200, answer.body
        shown: dict[str, Any] = answer.body
        return shown

    def do(self, crawl_id: str, verb: str) -> int:
        """Pause, resume or cancel; the status of the answer."""
        return self.ask("POST", f"/v1/crawls/{crawl_id}/{verb}").status

    def ended(self, crawl_id: str, within: float = 30.0) -> dict[str, Any]:
        """What became of a crawl, once it is final."""
        return eventually(lambda: (shown := self.look(crawl_id))["state"] in FINAL and shown, within)

    def pages(self, crawl_id: str) -> list[dict[str, Any]]:
        """All of them, in the order in which they were kept."""
        lines = self.ask("GET", f"/v1/crawls/{crawl_id}/export").body.splitlines()
        return [json.loads(line) for line in lines]


type Start = Callable[..., Scraper]


@pytest.fixture(scope="session")
def web() -> Iterator[RunningOrigin]:
    """Twenty sites of 60 pages."""
    with running(ORIGIN_PAGES="60") as origin:
        yield origin


@pytest.fixture(scope="session")
def start(web: RunningOrigin, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """A function that starts a replica; keywords are settings."""
    started: list[Scraper] = []

    def start(url: str = redis_url, **settings: object) -> Scraper:
        fast = {"scraper_rate": 10_000, "scraper_burst": 1000}
        started.append(Scraper(tmp_path_factory.mktemp("scraper"), url, web.url, **(fast | settings)))
        return started[-1]

    yield start
    for service in started:
        service.end()


@pytest.fixture(scope="session")
def service(start: Start) -> Scraper:
    """A service that all tests share."""
    return start()


@pytest.fixture
def slowly(service: Scraper) -> Iterator[None]:
    """Every request takes a while, so that crawls last."""
    assert service.ask("PUT", "/lab/faults", {"faults": {"slow-network": 0.2}}).status == 200
    yield
    assert service.ask("PUT", "/lab/faults", {"faults": {}}).status == 200


@pytest.fixture
def patience() -> Callable[..., Any]:
    """`eventually`."""
    return eventually
