"""The API: crawls that are begun, watched, changed and forgotten, and what comes out of them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from lab.load.gentle import GentleVisitor
from scraper.load import GENTLE_NAME, tidy

if TYPE_CHECKING:
    from tests.integration.scraper.conftest import Scraper

SEED = "http://site-1.lab.test/page/1"
BAD: list[tuple[object, str]] = [
    ({}, "Field required"),
    ({"seeds": []}, "at least 1 item"),
    ({"seeds": "http://site-1.lab.test/"}, "valid list"),
    ({"seeds": ["ftp://site-1.lab.test/"]}, "'ftp://site-1.lab.test/'"),
    ({"seeds": ["http://elsewhere.example/"]}, "may be crawled"),
    ({"seeds": ["http://127.0.0.1/"]}, "may be crawled"),
    ({"seeds": [SEED, "http://[broken"]}, "may be crawled"),
    ({"seeds": [SEED], "depth": -1}, "greater than or equal to 0"),
    ({"seeds": [SEED], "pages": 0}, "greater than or equal to 1"),
    ({"seeds": [SEED], "pages": "many"}, "valid integer"),
    ({"seeds": [SEED], "colour": "red"}, "Extra inputs"),
    ([], "valid dictionary"),
    (b"{", "no JSON"),
]


@pytest.mark.parametrize(("body", "reason"), BAD, ids=lambda one: str(one)[:40])
def test_bad_input_says_why_and_changes_nothing(service: "Scraper", body: object, reason: str) -> None:
    before = service.ask("GET", "/v1/crawls").body
    answer = service.ask("POST", "/v1/crawls", body)
    assert answer.status == 422
    assert reason in answer.body["detail"]
    assert service.ask("GET", "/v1/crawls").body == before


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/cancel"),
     ("GET", "/events"), ("GET", "/pages"), ("GET", "/links?url=x"), ("GET", "/export")],
)  # fmt: skip
def test_nobody_knows_this_crawl(service: "Scraper", method: str, path: str) -> None:
    answer = service.ask(method, f"/v1/crawls/nobody{path}")
    assert (answer.status, "'nobody'" in answer.body["detail"]) == (404, True)


@pytest.mark.parametrize("query", ["pages?limit=0", "pages?after=-1", "export?format=pdf", "links"])
def test_bad_questions_are_refused(service: "Scraper", query: str) -> None:
    crawl = service.create(SEED, pages=1)
    assert service.ask("GET", f"/v1/crawls/{crawl}/{query}").status == 422


def test_a_crawl_brings_every_page_once_as_lines_pages_and_graph(service: "Scraper") -> None:
    crawl = service.create(SEED, pages=40, depth=4)
    shown = service.ended(crawl)
    assert (shown["state"], shown["done"], shown["waiting"], shown["held"]) == ("done", 40, 0, 0)
    pages = service.pages(crawl)
    assert len({page["url"] for page in pages}) == len(pages) == 40
    first = pages[0]
    assert (first["url"], first["status"], first["depth"], first["error"]) == (SEED, 200, 0, None)
    assert first["title"]
    two = [service.ask("GET", f"/v1/crawls/{crawl}/pages?after={after}&limit=25").body for after in (0, 25)]
    assert [one["next"] for one in two] == [25, None]
    assert two[0]["items"] + two[1]["items"] == pages
    graph = service.ask("GET", f"/v1/crawls/{crawl}/export?format=dot").body
    assert graph.startswith("digraph crawl {\n")
    assert graph.count(" -> ") == sum(len(page["links"]) for page in pages)
    assert f'  "{SEED}" -> {json.dumps(first["links"][0])};' in graph


def test_the_graph_can_be_asked(service: "Scraper") -> None:
    crawl = service.create(SEED, pages=20)
    service.ended(crawl)
    pages = service.pages(crawl)
    target = pages[0]["links"][0]
    found = service.ask("GET", f"/v1/crawls/{crawl}/links?url={target}").body
    assert found["from"] == [page["url"] for page in pages if target in page["links"]]
    assert found["to"] == next(page["links"] for page in pages if page["url"] == target)


def test_files_are_handed_on(service: "Scraper", patience: Callable[..., Any]) -> None:
    crawl = service.create(SEED, pages=60)
    service.ended(crawl)
    files = {
        page["url"] for page in service.pages(crawl) if "/files/" in page["url"] and page["status"] == 200
    }
    assert files

    def handed() -> set[str]:
        entries = [json.loads(fields["message"]) for _, fields in service.redis.xrange("lab:downloads")]
        return {entry["url"] for entry in entries if entry["trace"] == crawl}

    patience(lambda: handed() == files)


@pytest.mark.usefixtures("slowly")
def test_a_crawl_is_paused_resumed_and_cancelled(service: "Scraper", patience: Callable[..., Any]) -> None:
    crawl = service.create(SEED, "http://site-2.lab.test/page/1")
    patience(lambda: service.look(crawl)["done"] >= 2)
    assert service.do(crawl, "resume") == 409, "it runs"
    assert [service.do(crawl, "pause"), service.do(crawl, "pause")] == [200, 409]
    patience(lambda: service.look(crawl)["held"] == 0)  # what was in hand has come, or was given back
    shown = service.look(crawl)
    assert (shown["state"], shown["waiting"] > 0) == ("paused", True)
    patience(lambda: all(one["in_flight"] == 0 for one in service.ask("GET", "/v1/domains").body.values()))
    assert service.look(crawl)["done"] == shown["done"]
    assert service.do(crawl, "resume") == 200
    patience(lambda: service.look(crawl)["done"] > shown["done"])
    assert service.do(crawl, "cancel") == 200
    shown = service.ended(crawl)
    assert (shown["state"], shown["waiting"], shown["held"]) == ("cancelled", 0, 0)
    assert [service.do(crawl, verb) for verb in ("pause", "resume", "cancel")] == [409] * 3
    assert len(service.pages(crawl)) == shown["done"] > 0, "its pages stay"


@pytest.mark.usefixtures("slowly")
def test_only_what_has_ended_is_deleted_and_nothing_of_it_stays(service: "Scraper") -> None:
    crawl = service.create(SEED)
    assert service.ask("DELETE", f"/v1/crawls/{crawl}").status == 409
    service.do(crawl, "cancel")
    service.ended(crawl)
    assert service.ask("DELETE", f"/v1/crawls/{crawl}").status == 204
    assert service.ask("GET", f"/v1/crawls/{crawl}").status == 404
    assert not list(service.redis.scan_iter(f"*{crawl}*"))


def test_events_tell_of_a_crawl_to_its_end(service: "Scraper") -> None:
    crawl = service.create(SEED, pages=60)
    told = service.ask("GET", f"/v1/crawls/{crawl}/events").body
    states = [line.removeprefix("event: ") for line in told.splitlines() if line.startswith("event: ")]
    shown = [
        json.loads(line.removeprefix("data: ")) for line in told.splitlines() if line.startswith("data: ")
    ]
    assert states[-1] == shown[-1]["state"] == "done"
    assert [one["done"] for one in shown] == sorted(one["done"] for one in shown)
    assert shown[-1]["done"] == 60
    host = shown[-1]["domains"]["site-1.lab.test"]
    assert (host["breaker"], host["requests"] > 0, host["latency"] > 0) == ("closed", True, True)
    assert {"tokens", "in_flight", "errors"} <= host.keys()


@pytest.mark.usefixtures("slowly")
def test_a_crawl_survives_a_kill_and_comes_out_once(service: "Scraper", patience: Callable[..., Any]) -> None:
    crawl = service.create(SEED, "http://site-3.lab.test/page/1", pages=14, domain_pages=7)
    patience(lambda: service.look(crawl)["done"] >= 3)
    service.kill()
    for alive in service.redis.scan_iter("lab:scraper:alive:*"):
        service.redis.delete(alive)  # as if the time had passed after which it counts as dead
    service.start()
    assert service.ended(crawl)["state"] == "done"
    urls = [page["url"] for page in service.pages(crawl)]
    assert len(urls) == len(set(urls)) == 14


def test_a_change_at_the_moment_of_the_end_does_not_lose_it(service: "Scraper") -> None:
    """Whoever comes too late is told so, who came in time is obeyed, and every end is remembered."""
    crawls = [service.create(f"http://site-{number}.lab.test/page/1", pages=1) for number in range(1, 21)]
    with ThreadPoolExecutor(4) as users:
        answers = users.map(
            lambda crawl: [service.do(crawl, verb) for verb in ("pause", "resume") * 3], crawls
        )
        assert {status for each in answers for status in each} <= {200, 409}
    assert {service.ended(crawl)["state"] for crawl in crawls} == {"done"}


def test_the_metrics_know_the_hosts(service: "Scraper") -> None:
    service.ended(service.create(SEED, pages=10))
    text = service.ask("GET", "/metrics").body
    for name in ("tokens", "breaker", "in_flight", "latency_seconds"):
        assert f'scraper_host_{name}{{engine="reference",host="site-1.lab.test",service="scraper"}}' in text
    assert 'scraper_host_errors_total{engine="reference",host="site-1.lab.test",reason="5xx"' in text


def test_the_background_load_removes_only_its_own_crawls(service: "Scraper") -> None:
    somebodys, its = service.create(SEED, pages=1), service.create(SEED, pages=1, name=GENTLE_NAME)
    assert service.look(its)["name"] == GENTLE_NAME
    visitor = GentleVisitor(service.url, "", Event(), Random(1))
    tidy(visitor)
    visitor.close()
    assert service.ask("GET", f"/v1/crawls/{its}").status == 404
    assert service.ended(somebodys)["state"] == "done"
