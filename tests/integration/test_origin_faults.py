"""Each fault of the origin, seen on the wire and counted."""

import gzip
import json
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from itertools import count

import pytest

from lab.origin.content import read
from lab.origin.faults import FAULTS
from lab.origin.testing import RunningOrigin, running

SIZE = 100_000
CLOSE = {"Connection": "close"}
EMPTY: Mapping[str, str] = {}
KEEP = {"Connection": "keep-alive"}


@dataclass(frozen=True)
class Reply:
    """What came until the connection ended, and how it ended."""

    status: int
    headers: Message
    body: bytes
    reset: bool


class Client:
    """Asks for one file, of which `content` is the bytes; every client for another."""

    _names = count()

    def __init__(self, address: tuple[str, int], size: int = SIZE) -> None:
        self.address, self._size = address, size
        self.path = f"/files/{size}/{next(self._names)}"

    def content(self, version: int = 0) -> bytes:
        return read(1, "default", self.path, self._size, version, 0, self._size)

    def get(self, query: str, fields: Mapping[str, str] = EMPTY, method: str = "GET") -> Reply:
        with self.ask(query, {**CLOSE, **fields}, method) as raw:
            data, reset = _until_the_end(raw)
        start, _, body = data.partition(b"\r\n\r\n")
        line, _, headers = start.partition(b"\r\n")
        return Reply(int(line.split()[1]), BytesParser().parsebytes(headers), body, reset)

    def ask(self, query: str, fields: Mapping[str, str], method: str = "GET") -> socket.socket:
        head = f"{method} {self.path}?{query} HTTP/1.1\r\nHost: x\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        raw = socket.create_connection(self.address, timeout=10)
        raw.sendall(head.encode() + b"\r\n")
        return raw

    def get_no_more_than(self, query: str, length: int) -> None:
        """See so many bytes of the body arrive, and then nothing."""
        with self.ask(query, {}) as raw:
            data = b""
            while not (b"\r\n\r\n" in data and len(data.partition(b"\r\n\r\n")[2]) >= length):
                data += raw.recv(1 << 16)
            raw.settimeout(0.05)
            with pytest.raises(TimeoutError):
                raw.recv(1)
        head, _, body = data.partition(b"\r\n\r\n")
        assert f"Content-Length: {self._size}".encode() in head
        assert body == self.content()[:length]


def _until_the_end(raw: socket.socket) -> tuple[bytes, bool]:
    received = []
    try:
        while data := raw.recv(1 << 20):
            received.append(data)
    except ConnectionResetError:
        return b"".join(received), True
    return b"".join(received), False


@pytest.fixture(scope="module")
def origin() -> Iterator[RunningOrigin]:
    with running(ORIGIN_SEED="1") as started:
        yield started


def fired(origin: RunningOrigin, name: str) -> float:
    with urllib.request.urlopen(f"{origin.url}/lab/faults") as response:
        return json.load(response)[name]["fired"]


def latency(client: Client) -> None:
    assert client.get("latency=0.001").body == client.content()


def latency_fixed(client: Client) -> None:
    assert client.get("latency-fixed=0.001").body == client.content()
    with client.ask("latency-fixed=60", {}) as raw:
        raw.settimeout(0.05)
        with pytest.raises(TimeoutError):
            raw.recv(1)


def bandwidth(client: Client) -> None:
    client.get_no_more_than("bandwidth=0.01", 1)
    assert client.get("bandwidth=1000000").body == client.content()


def error_rate(client: Client) -> None:
    assert client.get("error-rate=1").status == 503
    assert {client.get("error-rate=0.5").status for _ in range(30)} == {200, 503}


def status(client: Client) -> None:
    assert [client.get(f"status={code}").status for code in (404, 408, 425, 429, 500, 599)] == [
        404, 408, 425, 429, 500, 599
    ]  # fmt: skip


def fail_first(client: Client) -> None:
    query = "fail-first=2&status=429"
    assert [client.get(query).status for _ in range(4)] == [429, 429, 200, 200]
    assert client.get(f"{query}&key=other").status == 429


def retry_after(client: Client) -> None:
    assert client.get("status=429&retry-after=2").headers["Retry-After"] == "2"


def retry_after_date(client: Client) -> None:
    headers = client.get("status=503&retry-after=5&retry-after-date=1").headers
    wait = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert 5 <= wait.total_seconds() <= 7


def drop_after(client: Client) -> None:
    for query, length in (("drop-after=0.25", SIZE // 4), ("drop-after=1000", 1000)):
        reply = client.get(query)
        assert reply.reset
        assert reply.headers["Content-Length"] == str(SIZE)
        assert reply.body == client.content()[:length]
    assert client.get(f"drop-after={SIZE}").body == client.content()


def drop_rate(client: Client) -> None:
    assert {client.get("drop-after=1&drop-rate=0.5").reset for _ in range(30)} == {True, False}


def change_content(client: Client) -> None:
    replies = [client.get("change-content=1", {"Range": "bytes=0-999"}) for _ in range(3)]
    assert [reply.body for reply in replies] == [client.content(version)[:1000] for version in range(3)]
    for validator in ("ETag", "Last-Modified"):
        assert len({reply.headers[validator] for reply in replies}) == 3


def change_after(client: Client) -> None:
    replies = [client.get("change-after=2") for _ in range(4)]
    assert [reply.body for reply in replies] == [client.content(version) for version in (0, 0, 1, 1)]


def stale_etag(client: Client) -> None:
    before, after = (client.get("change-after=1&stale-etag=1") for _ in range(2))
    assert (before.body, after.body) == (client.content(), client.content(1))
    for validator in ("ETag", "Last-Modified"):
        assert before.headers[validator] == after.headers[validator]


def wrong_length(client: Client) -> None:
    for lie in (-10, 10):
        reply = client.get(f"wrong-length={lie}", KEEP)
        assert reply.headers["Content-Length"] == str(SIZE + lie)
        assert reply.body == client.content()
    assert client.get("wrong-length=10", method="HEAD").headers["Content-Length"] == str(SIZE + 10)


def wrong_range(client: Client) -> None:
    reply = client.get("wrong-range=-5", {"Range": "bytes=10-19"})
    assert (reply.status, reply.headers["Content-Range"]) == (206, f"bytes 5-14/{SIZE}")
    assert reply.body == client.content()[5:15]


def ignore_range(client: Client) -> None:
    reply = client.get("ignore-range=1", {"Range": "bytes=10-19"})
    assert (reply.status, reply.body) == (200, client.content())


def force_encoding(client: Client) -> None:
    reply = client.get("force-encoding=1", {"Range": "bytes=10-19", "Accept-Encoding": "identity"})
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert reply.headers["ETag"].startswith('W/"')
    assert gzip.decompress(unchunked(reply)) == client.content()


def no_length(client: Client) -> None:
    reply = client.get("no-length=1")
    assert "Content-Length" not in reply.headers
    assert unchunked(reply) == client.content()
    part = client.get("no-length=1", {"Range": "bytes=10-19"})
    assert (part.status, unchunked(part)) == (206, client.content()[10:20])


def close_length(client: Client) -> None:
    reply = client.get("close-length=1", KEEP)
    assert not {"Content-Length", "Transfer-Encoding"} & set(reply.headers)
    assert (reply.headers["Connection"], reply.body) == ("close", client.content())


def redirect(client: Client) -> None:
    reply = client.get("redirect=2")
    for hops in (1, 0):
        assert (reply.status, reply.headers["Location"]) == (302, f"{client.path}?redirect={hops}")
        reply = client.get(f"redirect={hops}")
    assert reply.body == client.content()


def redirect_loop(client: Client) -> None:
    query, seen = "redirect-loop=3", []
    for _ in range(6):
        query = client.get(query).headers["Location"].partition("?")[2]
        seen.append(query)
    assert len(set(seen)) == 3


def redirect_host(client: Client) -> None:
    locations = [client.get(f"redirect-host=1{more}").headers["Location"] for more in ("", "&to=a.test:81")]
    assert locations[0] == f"http://elsewhere.lab.test{client.path}?redirect-host=0"
    assert locations[1] == f"http://a.test:81{client.path}?redirect-host=0&to=a.test:81"


def slow_loris(client: Client) -> None:
    client.get_no_more_than("slow-loris=60", 1)
    tiny = Client(client.address, 20)
    assert tiny.get("slow-loris=0.001").body == tiny.content()


def stall(client: Client) -> None:
    client.get_no_more_than("stall=1", 0)


def reject_if_range_etag(client: Client) -> None:
    headers = client.get("", method="HEAD").headers
    statuses = [
        client.get("reject-if-range-etag=1", {"Range": "bytes=10-19", "If-Range": headers[name]}).status
        for name in ("ETag", "Last-Modified")
    ]
    assert statuses == [200, 206]


def unchunked(reply: Reply) -> bytes:
    assert reply.headers["Transfer-Encoding"] == "chunked"
    body, rest = b"", reply.body
    while rest:
        length, _, rest = rest.partition(b"\r\n")
        size = int(length, 16)
        body, end, rest = body + rest[:size], rest[size : size + 2], rest[size + 2 :]
        assert end == b"\r\n"
        assert (size == 0) == (rest == b"")
    return body


@pytest.mark.parametrize("name", FAULTS)
def test_seen_and_counted(origin: RunningOrigin, name: str) -> None:
    before = fired(origin, name)
    see: Callable[[Client], None] = globals()[name.replace("-", "_")]
    see(Client(origin.address))
    assert fired(origin, name) > before
