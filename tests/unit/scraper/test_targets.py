"""Where links lead, and that it is decided once and remembered in bounds."""

import pytest

from scraper.engine import targets
from scraper.engine.targets import Targets


def test_each_target_comes_once_in_the_order_of_the_page() -> None:
    hrefs = ["/b", "c", "/b", "//b.test/d", "#top", "?q=1", "", "mailto:me", "http://[broken", "/x/../b"]
    assert Targets(lambda url: True).of("http://a.test/x/y", hrefs) == [
        "http://a.test/b",
        "http://a.test/x/c",
        "http://b.test/d",
        "http://a.test/x/y",
        "http://a.test/x/y?q=1",
    ]


def test_a_rooted_link_of_a_site_is_decided_once() -> None:
    asked: list[str] = []
    links = Targets(lambda url: not asked.append(url) and "private" not in url)  # type: ignore[func-returns-value]
    for page in ("http://a.test/1", "http://a.test/2", "http://b.test/1"):
        assert links.of(page, ["/same", "/private"]) == [page[:13] + "/same"]
    assert asked == [f"http://{host}.test{path}" for host in "ab" for path in ("/same", "/private")]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "REMEMBERED", 10)
    links = Targets(lambda url: True)
    for number in range(100):
        links.of(f"http://{number}.test/", ["/a", "/b"])
        assert sum(map(len, links._sites.values())) <= 12
