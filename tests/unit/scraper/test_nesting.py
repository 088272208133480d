"""Pages that would keep a parser for half an hour are cut; no others are."""

import pytest

from scraper.adapters.html import parse_page
from scraper.core.nesting import DEEPEST, shallow

MANY = 10 * DEEPEST


DEEP = [
    "<div>", "<b class=x>", "<DIV/>", "<x-y></z>", "<span><div></span></div>", "<optgroup><option>", "<option><p>",
    "<dd><li>", "<li><ul>",
]  # fmt: skip


@pytest.mark.parametrize("piece", DEEP)
def test_a_page_is_cut_where_it_gets_too_deep(piece: str) -> None:
    assert DEEPEST // 2 - 1 <= shallow(piece * MANY).count(piece) <= DEEPEST


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * DEEPEST,
        "<div><p>one<br><a href=/x>two</a></DIV>" * MANY,
        "<table>" + "<tr><td>one<td>two" * MANY + "</table>",
        "<ul>" + "<li>one" * MANY + "</ul>",
        "<ul>" + "<li><p>one</p></li>" * MANY + "</ul>",
        "<dl>" + "<dt>one<dd>two" * MANY + "</dl>",
        "1 < 2 <= 3 <3 " * MANY,
    ],
)
def test_a_page_that_is_only_long_stays(page: str) -> None:
    assert shallow(page) == page


def test_what_comes_before_the_depth_is_read() -> None:
    page = f"<title>t</title><a href='/near'>x</a>{'<div>' * MANY}<a href='/deep'>x</a>"
    found = parse_page(page.encode(), "text/html")
    assert (found.title, found.hrefs) == ("t", ["/near"])
