"""One name for each page: URL normalisation (RFC 3986, 6.2.2 and 6.2.3)."""

import re
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

__all__ = ["host_of", "join", "normalise", "origin_of", "path_of"]

PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?|/")
"""Absolute, no dot segment, nothing to decode: as most links are."""
DEFAULT_PORTS = {"http": 80, "https": 443}
LONGEST = 2048
SESSION = re.compile(
    r"(?:^|[&;])(?:phpsessid|jsessionid|sid|sessionid|session_id|aspsessionid\w*)=[^&;]*", re.I
)
SESSION_PATH = re.compile(r";(?:jsessionid|sid|phpsessid)=[^/?;]*", re.I)
ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
UNSAFE = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/?%\[\]-]")
FORBIDDEN = re.compile(r"[\x00-\x20\x7f\"#%/<>?@\\^`{|}\[\]]")
"""What no name of a host has; browsers read such a link in another way, or not at all (WHATWG URL, 3.1)."""
BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def join(base: str, href: str) -> str | None:
    """The normalised URL of `href` on the page `base`, which is normalised; None if no page can be there."""
    if PLAIN_PATH.fullmatch(href) and len(href) < LONGEST:
        return origin_of(base) + href
    try:
        return normalise(urljoin(base, href.strip()))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def normalise(url: str) -> str | None:
    """`url` with its scheme and host in lower case, without default port, fragment, dot segments and session ids,
    and escaped where and only where it must be. None if it is not http or https, or too long."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or FORBIDDEN.search(host) or len(url) > LONGEST:
        return None
    shown = f"[{host}]" if ":" in host else host
    place = shown if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{shown}:{port}"
    path = _without_dots(_escaped(SESSION_PATH.sub("", parts.path))) or "/"
    query = SESSION.sub("", _escaped(parts.query)).lstrip("&;")
    return f"{parts.scheme}://{place}{path}{'?' if query else ''}{query}"


def origin_of(url: str) -> str:
    """Scheme, host and port of a normalised URL: what robots.txt is valid for."""
    end = url.find("/", 8)
    return url if end < 0 else url[:end]


def path_of(url: str) -> str:
    """What follows the origin of a normalised URL."""
    return url[len(origin_of(url)) :]


@lru_cache(maxsize=4096)
def host_of(origin: str) -> str:
    """The host of an origin, without its port: what politeness is owed to."""
    return urlsplit(origin).hostname or ""


def _escaped(text: str) -> str:
    text = ESCAPE.sub(_plainer, BROKEN_ESCAPE.sub("%25", text))
    return UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _plainer(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in UNRESERVED else escape[0].upper()


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    if "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == ".." and len(kept) > 1:
            kept.pop()
        elif segment not in (".", ".."):
            kept.append(segment)
    return "/".join(kept) + ("/" if segments[-1] in (".", "..") and kept[-1:] != [""] else "")
