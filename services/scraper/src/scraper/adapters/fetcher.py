"""HTTP on aiohttp: one answer for each request, with a limit on everything a server may do to us."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.client_exceptions import (
    ClientConnectorDNSError,
    ClientError,
    ConnectionTimeoutError,
    ContentTypeError,
)
from multidict import CIMultiDictProxy
from yarl import URL

from scraper.adapters.hosts import AllowedHosts, PrivateAddress
from scraper.adapters.robots import AGENT
from scraper.contract import Answer, ConnectionLost, FetchError, NameUnknown, Refused, TimedOut, TooLarge
from scraper.core.headers import is_page
from scraper.core.robots import LARGEST

__all__ = ["HttpFetcher", "Phases"]

READ = ("text/", "application/xhtml+xml")
ENCODINGS = ("identity", "gzip", "deflate")
USER_AGENT = f"{AGENT}/1.0 (a crawler that is being studied)"
ASKED = {
    "User-Agent": USER_AGENT,
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds for each phase, and bytes of a body once it is decoded."""

    connect: float = 5.0
    first_byte: float = 15.0
    total: float = 60.0
    body: int = 4 * 1024 * 1024


class HttpFetcher:
    """See `contract.Fetcher`. Connections are kept; redirects and cookies are not followed or kept. Of a
    robots.txt the beginning is enough, whatever type it claims to be, and of any text that is no page: it may be
    a robots.txt that has moved."""

    def __init__(self, hosts: AllowedHosts, phases: Phases | None = None, connections: int = 256) -> None:
        self._hosts, self._phases = hosts, phases or Phases()
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str) -> Answer:
        if not self._hosts.allows(url):
            raise Refused(f"{url!r}: the host is not in LAB_ALLOWED_HOSTS, or its address is private")
        try:
            return await self._answer(url)
        except (ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
            raise _translated(url, error) from error

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()

    async def _answer(self, url: str) -> Answer:
        phases, began = self._phases, asyncio.get_running_loop().time()
        async with (
            asyncio.timeout_at(began + phases.connect + phases.first_byte) as limit,
            self._opened().get(URL(url, encoded=True), allow_redirects=False) as response,
        ):
            limit.reschedule(began + phases.total)
            headers = _fields(response.headers)
            if response.status >= 300:
                return Answer(response.status, headers)
            if headers.get("content-encoding", "identity").lower() not in ENCODINGS:
                raise Refused(f"{url} is encoded as {headers['content-encoding']!r}, which nobody asked for")
            if url.endswith("/robots.txt") or (_is_read(headers) and not is_page(headers)):
                return Answer(response.status, headers, await _beginning(response, LARGEST + 1))
            if not _is_read(headers):
                return Answer(response.status, headers)
            most = phases.body
            if (response.content_length or 0) > most:
                raise TooLarge(f"{url} has {response.content_length} bytes, {most} are read")
            body = await _beginning(response, most + 1)
            if len(body) > most:
                raise TooLarge(f"{url} has more than {most} bytes once it is decoded")
            return Answer(response.status, headers, body)

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made on the loop that uses it."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections, resolver=self._hosts, ttl_dns_cache=60, keepalive_timeout=15
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=ASKED,
                # The other phases have one timer for each request: aiohttp would set one for each piece.
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._phases.connect),
            )
        return self._session


async def _beginning(response: aiohttp.ClientResponse, most: int) -> bytes:
    """At most so many bytes of the decoded body: aiohttp decodes no more than is taken, so a bomb stays small."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size >= most:
            response.close()
            return b"".join(pieces)[:most]
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _fields(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Names in lower case; a field that comes several times is a list (RFC 9110, 5.2)."""
    fields = {name.lower(): value for name, value in headers.items()}
    if len(fields) < len(headers):
        for name in fields:
            # An X-Robots-Tag that names nobody comes first: what follows a name is meant for that one alone.
            fields[name] = ", ".join(sorted(headers.getall(name), key=lambda value: ":" in value))
    return fields


def _is_read(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "text/plain").lower().startswith(READ)


def _translated(url: str, error: Exception) -> FetchError:
    """aiohttp's errors, and the system's, as the contract's."""
    if isinstance(error, ConnectionTimeoutError):
        return TimedOut(f"{url}: no connection in time")
    if isinstance(error, TimeoutError):
        return TimedOut(f"{url}: no answer in time")
    if isinstance(error, ClientConnectorDNSError):
        is_private = isinstance(error.os_error, PrivateAddress)
        return Refused(str(error.os_error)) if is_private else NameUnknown(f"{url}: {error.os_error}")
    if isinstance(error, ValueError | ContentTypeError):  # of the URL
        return Refused(f"{url}: {error}")
    return ConnectionLost(f"{url}: {str(error) or type(error).__name__}")
