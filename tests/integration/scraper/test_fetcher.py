"""The fetcher on real sockets: what a server may do to it."""

import asyncio
import gzip
import socket
import tracemalloc

import pytest
from tests.integration.scraper.server import HTML, SHORT, fetched, saying, serving, whole

from scraper import app
from scraper.adapters.fetcher import HttpFetcher, Phases
from scraper.adapters.hosts import AllowedHosts
from scraper.adapters.robots import parse_robots
from scraper.config import Settings
from scraper.contract import ConnectionLost, Refused, TimedOut, TooLarge
from scraper.core.headers import robots_tag
from scraper.core.robots import LARGEST


def test_a_page_comes_whole_with_its_fields() -> None:
    answer = fetched(saying(whole(b"<p>", b"Content-Type: text/html\r\nX-One: 1\r\n")))
    assert (answer.status, answer.body, answer.headers["x-one"]) == (200, b"<p>", "1")


def test_no_connection_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one waits to be accepted, and nobody answers the others
        place = f"127.0.0.1:{full.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        async def fetch() -> None:
            fetcher = HttpFetcher(
                AllowedHosts([place], "http://origin.test"), Phases(connect=0.1, total=20.0)
            )
            with pytest.raises(TimedOut, match="no connection"):
                await fetcher.get(f"http://{place}/")
            await fetcher.close()

        asyncio.run(fetch())
        for one in waiting:
            one.close()


def test_no_first_byte_in_time() -> None:
    with pytest.raises(TimedOut, match="no answer"):
        fetched(saying(), phases=Phases(first_byte=0.1, total=20.0))


def test_no_end_in_time() -> None:
    drops = [HTML + b"Content-Length: 100\r\n\r\n", *([b"x"] * 100)]
    with pytest.raises(TimedOut):
        fetched(saying(*drops, gap=0.02), phases=Phases(first_byte=20.0, total=0.2))


@pytest.mark.parametrize(
    "parts",
    [(), (HTML,), (HTML + b"Content-Length: 100\r\n\r\n0123456789",), (b"SMTP ready\r\n\r\n",),
     (HTML + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf",),
     (HTML + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nno gzip!!",)],
    ids=["nothing", "half a head", "half a body", "another protocol", "half a chunk", "no gzip"],
)  # fmt: skip
def test_half_an_answer_is_a_lost_connection(parts: tuple[bytes, ...]) -> None:
    with pytest.raises(ConnectionLost):
        fetched(saying(*parts, end=True))


def test_a_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    assert fetched(saying(whole(b"<p>"), end=True), times=3).body == b"<p>"


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"

        async def fetch() -> None:
            fetcher = HttpFetcher(AllowedHosts([place], "http://origin.test"), SHORT)
            with pytest.raises(ConnectionLost):
                await fetcher.get(f"http://{place}/")
            await fetcher.close()

        asyncio.run(fetch())


@pytest.mark.parametrize("told", [True, False], ids=["by its length", "as it comes"])
def test_a_body_may_have_so_many_bytes(told: bool) -> None:
    body = b"x" * (SHORT.body + 1)
    length = b"Content-Length: %d\r\n" % len(body) if told else b""
    assert len(fetched(saying(whole(body[1:]))).body) == SHORT.body
    with pytest.raises(TooLarge, match=f"{SHORT.body}"):
        fetched(saying(HTML + length + b"\r\n" + body, end=True))


def test_a_bomb_is_left_before_it_is_large() -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    answer = whole(bomb, b"Content-Type: text/html\r\nContent-Encoding: gzip\r\n")
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="decoded"):
            fetched(saying(answer), phases=Phases(body=100_000))
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "video/mp4"])
def test_what_is_no_text_is_not_read(kind: str) -> None:
    answer = fetched(saying(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 1\r\n\r\n".encode()))
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"", kind)


@pytest.mark.parametrize("told", [True, False], ids=["by its length", "as it comes"])
def test_a_large_text_that_is_no_page_is_a_file(told: bool) -> None:
    body = b"1,2\n" * LARGEST
    length = b"Content-Length: %d\r\n" % len(body) if told else b""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n%b\r\n" % length
    answer = fetched(saying(head + body, end=True), phases=Phases())
    assert (answer.status, LARGEST < len(answer.body) < 2 * LARGEST) == (200, True)


def test_a_url_that_nobody_can_ask_for_is_refused() -> None:
    async def fetch() -> None:
        fetcher = HttpFetcher(AllowedHosts(["*"], "http://origin.test"), SHORT)
        with pytest.raises(Refused, match="backslash"):
            await fetcher.get("http://a.lab.test\\x/")
        await fetcher.close()

    asyncio.run(fetch())


def test_an_encoding_nobody_asked_for_is_refused() -> None:
    with pytest.raises(Refused, match="'br'"):
        fetched(saying(whole(b"\x01\x02", b"Content-Type: text/html\r\nContent-Encoding: br\r\n")))


def test_a_large_robots_txt_is_cut_whatever_it_claims_to_be() -> None:
    body = b"User-agent: *\nDisallow: /x\n" + b"#" * (10 * LARGEST)
    answer = fetched(
        saying(whole(body, b"Content-Type: application/octet-stream\r\n")), "/robots.txt", Phases()
    )
    assert LARGEST < len(answer.body) < 2 * LARGEST
    assert not parse_robots(answer.body).allows("http://a.test/x")


def test_a_redirect_is_an_answer_and_a_cookie_is_forgotten() -> None:
    fields = b"Location: /next\r\nSet-Cookie: a=1\r\n"

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (head := await reader.readuntil(b"\r\n\r\n")) and b"cookie" not in head.lower():
            writer.write(whole(b"", fields, b"302 Found"))

    answer = fetched(handler, times=2)
    assert (answer.status, answer.headers["location"]) == (302, "/next")


def test_a_field_that_comes_twice_is_a_list() -> None:
    fields = b"X-Robots-Tag: other: noindex\r\nX-Robots-Tag: nofollow\r\nContent-Type: text/html\r\n"
    assert robots_tag(fetched(saying(whole(b"", fields))).headers, "me") == (True, False)


def test_a_cancelled_request_closes_its_connection() -> None:
    async def cancel() -> None:
        async with serving(saying()) as server:
            place = f"127.0.0.1:{server.port}"
            fetcher = HttpFetcher(AllowedHosts([place], "http://origin.test"))
            request = asyncio.create_task(fetcher.get(f"http://{place}/"))
            await server.met.wait()
            request.cancel()
            async with asyncio.timeout(10):
                await server.left.wait()
            await fetcher.close()

    asyncio.run(cancel())


def test_every_worker_has_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits for another's end would be taken for a slow host."""
    made: dict[str, HttpFetcher] = {}

    def make(*given: object, **about: object) -> HttpFetcher:
        made["it"] = HttpFetcher(*given, **about)  # type: ignore[arg-type]  # as it is made
        return made["it"]

    monkeypatch.setattr(app, "HttpFetcher", make)
    app.build(Settings(scraper_workers=1000))
    assert made["it"]._connections >= 1000
