"""The pages: a connected, repeatable web."""

import re
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

from lab.origin.pages import Site

SITE = Site(1, "site-1.lab.test", 60, 20)


def links(site: Site, number: int) -> list[str]:
    return re.findall(r'href="([^"]+)"', site.page(number))


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, waiting = {"/page/1"}, ["/page/1"]
    while waiting:
        found = links(SITE, int(waiting.pop().removeprefix("/page/")))
        new = {link for link in found if re.fullmatch(r"/page/\d+", link)} - seen
        seen |= new
        waiting += new
    assert seen == {f"/page/{number}" for number in range(1, 61)}


def test_pages_repeat_and_differ_by_seed_domain_and_version() -> None:
    page = SITE.page(3)
    assert Site(1, "site-1.lab.test", 60, 20).page(3) == page
    others = [
        Site(2, SITE.domain, 60, 20).page(3),
        Site(1, "site-2.lab.test", 60, 20).page(3),
        SITE.page(3, 1),
    ]
    assert page not in others


def test_pages_lead_to_other_domains_and_to_files() -> None:
    found = {link for number in range(1, 61) for link in links(SITE, number)}
    assert any(re.fullmatch(r"http://site-\d+\.lab\.test/", link) for link in found)
    assert any(link.startswith("/files/") for link in found)


def test_some_links_carry_a_session_id_that_is_another_each_time() -> None:
    found = [link for number in range(1, 61) for link in links(SITE, number) if "?sid=" in link]
    assert len(found) == len(set(found)) > 3


def test_the_calendar_is_linked_and_has_no_end() -> None:
    assert any(link.startswith("/calendar/2026/") for number in range(1, 61) for link in links(SITE, number))
    month = "/calendar/2026/11"
    for _ in range(30):
        _, _, year, number = month.split("/")
        before, month = re.findall(r'href="([^"]+)"', SITE.month(int(year), int(number)))
    assert (before, month) == ("/calendar/2029/3", "/calendar/2029/5")


def test_no_page_that_others_are_reached_by_says_nofollow() -> None:
    tags = {number: SITE.robots_tag(number) for number in range(1, 61)}
    assert set(tags.values()) == {None, "noindex", "nofollow", "none"}
    assert {tag for number, tag in tags.items() if 2 * number <= SITE.pages} <= {None, "noindex"}
    assert tags[1] is None


def test_robots_differ_by_domain_and_the_default_allows_all() -> None:
    texts = {Site(1, f"site-{n}.lab.test", 60, 20).robots() for n in range(1, 30)}
    kinds = {text and re.sub(r"site-\d+", "site", text) for text in texts}
    assert len(kinds) == 6
    assert None in kinds
    parser = RobotFileParser()
    parser.parse((Site(1, "default", 60, 20).robots() or "Disallow: /").splitlines())
    assert parser.can_fetch("anybody", "/private/x")


def test_the_sitemap_lists_all_pages() -> None:
    urls = [
        url.text
        for url in ElementTree.fromstring(SITE.sitemap("a.lab.test:80")).iter()
        if url.tag.endswith("loc")
    ]
    assert urls == [f"http://a.lab.test:80/page/{number}" for number in range(1, 61)]
