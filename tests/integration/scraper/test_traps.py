"""A live crawl through what the synthetic web sets for it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scraper.core.traps import CALENDAR_PAGES

if TYPE_CHECKING:
    from tests.integration.scraper.conftest import Scraper

SEED = "http://site-1.lab.test/page/1"


def test_a_site_without_an_end_is_crawled_to_its_end(service: "Scraper") -> None:
    """Its calendar goes on for ever, its session ids give each page many names, and some pages want no robots."""
    crawl = service.create(SEED, domains=1, pages=1000, depth=100)
    assert service.ended(crawl)["state"] == "done"
    pages = service.pages(crawl)
    urls = [page["url"] for page in pages]
    assert len(urls) == len(set(urls))
    assert sum("/calendar/" in url for url in urls) == CALENDAR_PAGES
    assert not any("sid=" in url for url in urls)
    assert {f"http://site-1.lab.test/page/{number}" for number in range(1, 61)} <= set(urls)
    unindexed = [page for page in pages if not page["index"]]
    assert unindexed
    assert any(not page["links"] for page in unindexed), "one of them says nofollow, too"


def test_429_of_one_page_rests_its_whole_host(service: "Scraper", patience: Callable[..., Any]) -> None:
    host = "site-4.lab.test"
    crawl = service.create(f"http://{host}/page/2?fail-first=1&status=429&retry-after=1", pages=5, depth=1)

    def shown() -> dict[str, Any]:
        found: dict[str, Any] = service.ask("GET", "/v1/domains").body.get(host, {})
        return found

    patience(lambda: shown().get("errors") == {"429": 1} and shown()["tokens"] == 0)
    service.ended(crawl)
    assert service.pages(crawl)[0]["status"] == 200
    assert shown()["breaker"] == "closed"
