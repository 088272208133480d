"""Where the fetcher must not be led: into our own network, by whatever name, address or redirect."""

import asyncio
import socket
from typing import Any

import pytest
from tests.integration.scraper.server import SHORT, saying, serving, whole

from scraper.adapters.fetcher import HttpFetcher
from scraper.adapters.hosts import AllowedHosts
from scraper.adapters.html import parse_page
from scraper.adapters.memory import MemoryFrontier
from scraper.adapters.robots import parse_robots
from scraper.contract import Crawl, FetchError, NameUnknown, Page, Ports, Refused
from scraper.engine import Crawler
from scraper.engine.robots import Robots, RobotsUnavailable

PRIVATE = [
    *(["127.0.0.1"], ["10.1.2.3"], ["192.168.0.1"], ["172.16.0.1"], ["169.254.169.254"], ["100.64.0.1"]),
    *(
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fd00::1"],
        ["fe80::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
    ),
    ["93.184.216.34", "10.0.0.1"],
]


def resolving(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
    """What the system's resolver says to these names (with - for a dot); the others have no address."""
    real = socket.getaddrinfo

    def resolve(host: str, port: int, *given: Any, **more: Any) -> list[Any]:
        known = names.get(host.replace(".", "-").replace("-", "_"))
        if known is None and host[0].isalpha():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [entry for one in known or [host] for entry in real(one, port, *given, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def errors_of(port: int, *urls: str) -> list[type[Exception] | None]:
    """What each request ends with, where the whole web may be asked at any port."""

    async def ask() -> list[type[Exception] | None]:
        fetcher = HttpFetcher(AllowedHosts(["*"], f"http://127.0.0.1:{port}"), SHORT)
        found: list[type[Exception] | None] = []
        for url in urls:
            try:
                await fetcher.get(url)
                found.append(None)
            except FetchError as error:
                found.append(type(error))
        await fetcher.close()
        return found

    return asyncio.run(ask())


def test_a_name_without_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch)
    assert errors_of(1, "http://nobody.example/") == [NameUnknown]


@pytest.mark.parametrize("addresses", PRIVATE, ids=lambda found: found[-1])
def test_a_name_that_leads_into_our_network_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolving(monkeypatch, evil_example=addresses)
    assert errors_of(1, "http://evil.example/") == [Refused]


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:2", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]", "10.0.0.1", "localhost"],
)
def test_an_address_of_our_network_is_refused(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    resolving(monkeypatch, localhost=["127.0.0.1"])
    assert errors_of(1, f"http://{place}/") == [Refused]


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "gopher://127.0.0.1/"])
def test_other_schemes_are_refused(url: str) -> None:
    assert errors_of(1, url) == [Refused]


def ports_of(fetcher: HttpFetcher, hosts: AllowedHosts, pages: list[Page], done: asyncio.Event) -> Ports:
    return Ports(
        fetcher=fetcher, frontier=MemoryFrontier(pages.append), parse_page=parse_page, parse_robots=parse_robots,
        offload=asyncio.to_thread, allowed=hosts.allows, finished=lambda status: done.set(),
    )  # fmt: skip


@pytest.mark.parametrize("place", ["evil.example", "127.0.0.1"])
def test_no_redirect_leads_into_our_network(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Neither that of a page nor that of robots.txt, by name or by address."""
    pages: list[Page] = []
    resolving(monkeypatch, evil_example=["127.0.0.1"])

    async def crawl() -> int:
        async with serving(saying(whole(b"secret"))) as inside:
            away = b"Location: http://%b:%d/\r\n" % (place.encode(), inside.port)

            async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    is_free = head.startswith(b"GET /robots.txt") and b"free.lab.test" in head
                    writer.write(whole(b"", away, b"404 Not Found" if is_free else b"302 Found"))

            async with serving(redirecting) as outside:
                hosts = AllowedHosts(["*"], f"http://127.0.0.1:{outside.port}")
                fetcher, done = HttpFetcher(hosts, SHORT), asyncio.Event()
                ports = ports_of(fetcher, hosts, pages, done)
                crawler = Crawler(ports)
                await crawler.submit(Crawl(("http://free.lab.test/",)))
                async with asyncio.timeout(20):
                    await done.wait()
                await crawler.stop(0.0)
                with pytest.raises(RobotsUnavailable):
                    await Robots(ports, lambda url, asked: fetcher.get(url), 10).of("http://moved.lab.test")
                await fetcher.close()
                return inside.connections

    assert asyncio.run(crawl()) == 0
    assert (pages[0].link.url, pages[0].status) == ("http://free.lab.test/", 302)
    assert [page.error for page in pages[1:]] == (["refused"] if place == "evil.example" else [])
