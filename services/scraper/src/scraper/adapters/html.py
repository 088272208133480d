"""Title, links and wishes of an HTML page, on selectolax (Lexbor)."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from scraper.contract import Found
from scraper.core.nesting import shallow

__all__ = ["parse_page"]

CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.I)
LONGEST_TITLE, MOST_LINKS = 200, 5000


def parse_page(body: bytes, content_type: str) -> Found:
    """Never raises: any bytes are a page, if a poor one."""
    tree = LexborHTMLParser(shallow(_decoded(body, content_type)))
    title, base = tree.css_first("title"), tree.css_first("base[href]")
    robots = {word.strip() for node in tree.css("meta[name][content]") for word in _wishes(node)}
    links = [node.attributes for node in tree.css("a[href], area[href]")[:MOST_LINKS]]
    hrefs = [link["href"] or "" for link in links if "nofollow" not in (link.get("rel") or "").lower()]
    return Found(
        title=" ".join(title.text().split())[:LONGEST_TITLE] if title else "",
        base=base.attributes["href"] if base else None,
        hrefs=hrefs,
        nofollow=bool(robots & {"nofollow", "none"}),
        noindex=bool(robots & {"noindex", "none"}),
    )


def _wishes(meta: LexborNode) -> list[str]:
    given = meta.attributes
    named = (given["name"] or "").lower() in ("robots", "concurrency-lab")
    return (given["content"] or "").lower().split(",") if named else []


def _decoded(body: bytes, content_type: str) -> str:
    charset = CHARSET.search(content_type) or CHARSET.search(body[:1024].decode("latin-1"))
    try:
        return body.decode(charset[1] if charset else "utf-8", "replace")
    except (LookupError, UnicodeError):  # no such encoding, or one that takes no broken bytes
        return body.decode("utf-8", "replace")
