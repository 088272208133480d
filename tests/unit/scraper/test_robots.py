"""RFC 9309 on Protego: its examples, what is mended, and what an attempt to get the file means."""

import pytest

from scraper.adapters.robots import RobotsTxt, parse_robots
from scraper.core.robots import LARGEST, Meaning, lifetime, meaning

EXAMPLE = """User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


@pytest.mark.parametrize(
    ("agent", "path", "allowed"),
    [  # RFC 9309, 5.1
        ("anybot", "/x.gif", False),
        ("anybot", "/example/", False),
        ("anybot", "/publications/", True),
        ("anybot", "/", True),
        ("foobot", "/", False),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/x.gif", True),
        ("quxbot", "/example/", True),
        ("FooBot", "/", False),
    ],
)
def test_simple_example(agent: str, path: str, allowed: bool) -> None:
    assert RobotsTxt(EXAMPLE, agent.lower()).allows(f"http://a.test{path}") is allowed


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [  # 5.2 and 2.2.2, 2.2.3
        (
            "Allow: /example/page/\nDisallow: /example/page/disallowed.gif",
            "/example/page/disallowed.gif",
            False,
        ),
        ("Allow: /example/page/\nDisallow: /example/page/disallowed.gif", "/example/page/x", True),
        ("Disallow: /a\nAllow: /a", "/a", True),
        ("Allow: /p$\nDisallow: /p", "/p", True),
        ("Allow: /p$\nDisallow: /p", "/pq", False),
        ("Disallow: /*/x", "/a/b/x", False),
        ("Disallow: /path/file-with-a-%2A.html", "/path/file-with-a-*.html", False),
        ("Disallow: /foo/bar/%62%61%7A", "/foo/bar/baz", False),
        ("Disallow: /foo/bar/ツ", "/foo/bar/%E3%83%84", False),
        ("Disallow: /x # a comment", "/x", False),
        ("Disallow: /*?", "/x?q=1", False),
        ("Disallow: /", "/robots.txt", True),
    ],
)
def test_rules(rules: str, path: str, allowed: bool) -> None:
    assert RobotsTxt(f"User-agent: *\n{rules}\n").allows(f"http://a.test{path}") is allowed


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert not parse_robots(b"\xef\xbb\xbfUser-agent: *\nDisallow: /").allows("http://a.test/x")


def test_a_name_is_matched_whole() -> None:
    text = "User-agent: my\nDisallow: /\n\nUser-agent: *\nDisallow: /private"
    assert RobotsTxt(text, "mybot").allows("http://a.test/x")
    assert not RobotsTxt(text, "my").allows("http://a.test/x")


def test_crawl_delay_between_names_splits_no_group() -> None:
    rules = RobotsTxt("User-agent: a\nCrawl-delay: 3\nUser-agent: me\nDisallow: /x", "me")
    assert (rules.allows("http://a.test/x"), rules.delay) == (False, 3.0)


def test_groups_of_one_name_are_one() -> None:
    rules = RobotsTxt(
        "User-agent: me\nDisallow: /a\n\nUser-agent: *\nDisallow: /\n\nUser-agent: me\nDisallow: /b", "me"
    )
    assert [rules.allows(f"http://a.test/{name}") for name in "abc"] == [False, False, True]


def test_half_a_mebibyte_is_read_and_no_broken_line() -> None:
    filler = b"Allow: /%d\n" % 10**20
    body = b"User-agent: *\nDisallow: /early\n" + filler * (LARGEST // len(filler)) + b"Disallow: /late\n"
    rules = parse_robots(body)
    assert (rules.allows("http://a.test/early"), rules.allows("http://a.test/late")) == (False, True)


@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 100, b"Disallow: /", b":::\nUser-agent\n"])
def test_what_is_no_robots_txt_forbids_nothing(body: bytes) -> None:
    assert parse_robots(body).allows("http://a.test/x")


@pytest.mark.parametrize(
    ("status", "found"),
    [(200, "rules"), (204, "rules"), (301, "everything"), (404, "everything"), (401, "everything"),
     (403, "everything"), (429, "nothing"), (500, "nothing"), (503, "nothing"), (None, "nothing")],
)  # fmt: skip
def test_meaning_of_a_status(status: int | None, found: str) -> None:
    assert meaning(status) == found


def test_it_is_kept_for_a_day_at_most_and_for_a_minute_at_least() -> None:
    assert lifetime(Meaning.RULES, {"cache-control": "max-age=999999"}) == 86_400
    assert lifetime(Meaning.RULES, {"cache-control": "max-age=0"}) == 60
    assert lifetime(Meaning.RULES, {}) == 3600
    assert lifetime(Meaning.NOTHING, {"cache-control": "max-age=999999"}) == 60


def test_asking_again_is_remembered() -> None:
    rules = RobotsTxt("User-agent: *\n" + "\n".join(f"Disallow: /*{n}*x" for n in range(5000)))
    for _ in range(3):
        rules.allows("http://a.test/y")
    assert rules.allows.cache_info()[:2] == (2, 1)
