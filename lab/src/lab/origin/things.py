"""What there is to be served, found by domain and path, and the checksums that are known."""

import asyncio
import hashlib
import re
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache

from lab.origin.answers import Representation
from lab.origin.config import Settings
from lab.origin.content import File, parse_size
from lab.origin.pages import HOME, Site
from lab.origin.query import Query
from lab.origin.ranges import Validators

_HASHED_AT_ONCE = 32 << 20
_REMEMBERED = 4096
_MONTH = re.compile(r"[1-9][0-9]{0,3}/[1-9][0-9]?", re.ASCII)
_HTML, _TEXT, _XML = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/xml"


class Digests:
    """SHA-256 of files, computed once each by threads, piece by piece: a leaving client ends the work.

    At most two are computed at a time. The last 4096 are remembered.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[File, str] = OrderedDict()
        self._turns = asyncio.Semaphore(2)

    def known(self, file: File) -> str | None:
        """Return the file's SHA-256 in hex if it has been computed."""
        return self._known.get(file)

    async def get(self, file: File) -> str:
        """Return the file's SHA-256 in hex."""
        async with self._turns:
            if file not in self._known:
                self._remember(file, await self._compute(file))
        return self._known[file]

    async def _compute(self, file: File) -> str:
        state = hashlib.sha256()
        for start in range(0, file.size, _HASHED_AT_ONCE):
            await asyncio.to_thread(file.feed, state.update, start, start + _HASHED_AT_ONCE)
        return state.hexdigest()

    def _remember(self, file: File, sha256: str) -> None:
        self._known[file] = sha256
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


class Things:
    """Finds what to serve. `ahead` is by how many versions faults have changed it."""

    def __init__(self, settings: Settings, digests: Digests) -> None:
        self._settings = settings
        self._digests = digests
        self._page = lru_cache(maxsize=1024)(self._make_page)
        self._file = lru_cache(maxsize=4096)(self._make_file)

    def home(self, domain: str, ahead: int) -> Representation | None:
        """The default domain explains itself; any other begins with its first page."""
        return _made(HOME, _HTML) if domain == "default" else self._page(domain, 1, ahead)

    def page(self, domain: str, number: str, ahead: int) -> Representation | None:
        """Page 1 and on."""
        if not (number.isascii() and number.isdecimal() and len(number) < 8 and number[0] != "0"):
            return None
        return self._page(domain, int(number), ahead) if int(number) <= self._settings.origin_pages else None

    def month(self, domain: str, year: str, month: str) -> Representation | None:
        """Any month of the years 1 to 9999."""
        if not (_MONTH.fullmatch(f"{year}/{month}") and 1 <= int(month) <= 12):
            return None
        return _made(self._site(domain).month(int(year), int(month)), _HTML)

    def private(self) -> Representation:
        """What robots.txt forbids in most domains: whoever gets this has not read it."""
        return _made("<!doctype html>\n<title>Private</title>\n<p>Not meant for robots.</p>\n", _HTML)

    def robots(self, domain: str) -> Representation | None:
        """The domain's robots.txt, if it has one."""
        text = self._site(domain).robots()
        return _made(text, _TEXT) if text else None

    def sitemap(self, domain: str, host: str) -> Representation:
        """The domain's sitemap, with addresses on `host`."""
        return _made(self._site(domain).sitemap(host), _XML)

    def identify(self, domain: str, size: str, name: str, version: int) -> File:
        """Return the file at `/files/<size>/<name>`. Raises BadInput for a bad size."""
        return self._file(domain, size, name, version)

    def file(self, domain: str, size: str, name: str, query: Query, ahead: int) -> Representation:
        """The file at `/files/<size>/<name>`, with the validators that the query wants."""
        file = self.identify(domain, size, name, query.version + ahead)
        etag = {"strong": f'"{file.tag}"', "weak": f'W/"{file.tag}"', "none": None}[query.etag]
        return Representation(
            size=file.size,
            content_type="application/octet-stream",
            validators=Validators(etag, file.modified if query.dated else None),
            read=file.read,
            file=file,
            sha256=self._digests.known(file),
        )

    def _site(self, domain: str) -> Site:
        settings = self._settings
        return Site(settings.origin_seed, domain, settings.origin_pages, settings.origin_domains)

    def _make_file(self, domain: str, size: str, name: str, version: int) -> File:
        path = f"/files/{size}/{name}"
        return File(self._settings.origin_seed, domain, path, parse_size(size), version)

    def _make_page(self, domain: str, number: int, version: int) -> Representation:
        site = self._site(domain)
        return replace(_made(site.page(number, version), _HTML), robots=site.robots_tag(number))


def _made(text: str, content_type: str) -> Representation:
    data = text.encode()
    tag = hashlib.blake2b(data, digest_size=8).hexdigest()
    return Representation(
        len(data), content_type, Validators(f'"{tag}"'), lambda start, stop: data[start:stop]
    )
