"""The transport against servers that break the rules, each told word for word what to say."""

import gzip
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from downloader.adapters import transport as module
from downloader.adapters.connection import HEAD_LIMIT, Head
from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.transport import HttpTransport
from downloader.contract import ConnectionLost, ProtocolError, Refused, Response, TimedOut
from downloader.metrics import TransportMetrics
from lab_kit.metrics import Metrics

OK = b"HTTP/1.1 200 OK\r\n"
KEY = Path(__file__).with_name("server.pem")
FLOOD = 100_000

type Saying = Callable[[socket.socket], None]
type Serve = Callable[..., str]
type Dial = Callable[..., tuple[HttpTransport, str]]


def says(*answers: bytes) -> Saying:
    """Answers each request with the next of `answers`, on one connection, and closes it."""

    def say(client: socket.socket) -> None:
        for answer in answers:
            if client.recv(65536):
                client.sendall(answer)

    return say


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A function that starts a server, which treats every client as told; its address."""
    servers: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(saying: Saying, scheme: str = "http") -> str:
        server = socket.create_server(("127.0.0.1", 0), backlog=100)
        servers.append(server)
        run(lambda: accept(server, saying, scheme))
        return f"{scheme}://127.0.0.1:{server.getsockname()[1]}/file"

    def accept(server: socket.socket, saying: Saying, scheme: str) -> None:
        while True:
            client, _ = server.accept()
            run(lambda client=client: talk(client, saying, scheme))  # type: ignore[misc]  # bound at once

    def talk(client: socket.socket, saying: Saying, scheme: str) -> None:
        with encrypted(client) if scheme == "https" else client as talking:
            saying(talking)

    def run(step: Callable[[], object]) -> None:
        def quietly() -> None:
            with suppress(OSError):
                step()

        threads.append(threading.Thread(target=quietly))
        threads[-1].start()

    yield start
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
    for thread in threads:
        thread.join()


def encrypted(client: socket.socket) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(KEY)
    return context.wrap_socket(client, server_side=True)


@pytest.fixture
def dial(serve: Serve) -> Iterator[Dial]:
    """A function that starts a server and a transport to it, which believes its certificate if it is `trusted`."""
    with ExitStack() as open_now:

        def dial(
            saying: Saying, scheme: str = "http", *, trusted: bool = True, **settings: float
        ) -> tuple[HttpTransport, str]:
            url = serve(saying, scheme)
            transport = HttpTransport(
                AllowedHosts(["127.0.0.1", "*.lab.test"], url.replace("https", "http")), **settings
            )
            if trusted:
                transport._tls = ssl.create_default_context(cafile=str(KEY))
            open_now.callback(transport.close)
            return transport, url

        yield dial


def body(response: Response, size: int = 65536) -> bytes:
    """The whole body, read `size` bytes at a time."""
    buffer, found = memoryview(bytearray(size)), bytearray()
    with closing(response):
        while count := response.readinto(buffer):
            found += buffer[:count]
    return bytes(found)


@pytest.mark.parametrize("second", [b"HTTP/1.1 404 Gone\r\ncontent-length: 3\r\n\r\nbad", OK + b"\r\nworld"])
@pytest.mark.parametrize(
    "first", [b"content-length: 5\r\n\r\nhello", b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_a_second_answer_is_not_taken_for_the_first(dial: Dial, first: bytes, second: bytes) -> None:
    transport, url = dial(says(OK + first + second))
    with pytest.raises(ProtocolError, match="second answer"):
        transport.get(url, {})


def test_a_server_that_changes_the_protocol_is_refused_in_words(dial: Dial) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"
    transport, url = dial(says(switching))
    with pytest.raises(ProtocolError, match="another protocol"):
        transport.get(url, {})


def test_a_redirect_to_nowhere_is_refused_in_words(dial: Dial) -> None:
    nowhere = b"HTTP/1.1 302 Found\r\nlocation: http://[nowhere/\r\ncontent-length: 0\r\n\r\n"
    transport, url = dial(says(nowhere))
    with pytest.raises(Refused, match="nowhere"):
        transport.get(url, {})


def test_a_redirect_keeps_the_bytes_that_the_server_sent(dial: Dial) -> None:
    asked: list[bytes] = []

    def redirect(client: socket.socket) -> None:
        asked.append(client.recv(65536))
        client.sendall(
            "HTTP/1.1 302 Found\r\nlocation: /über?a=%41#part\r\ncontent-length: 0\r\n\r\n".encode()
        )
        asked.append(client.recv(65536))
        client.sendall(OK + b"content-length: 0\r\n\r\n")

    transport, url = dial(redirect)
    transport.get(url, {}).close()
    assert asked[1].startswith(b"GET /%C3%BCber?a=%41 HTTP/1.1\r\n")


def test_a_host_no_name_server_could_know_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="is no host"):
        AllowedHosts(["*"], "http://127.0.0.1").endpoint(f"http://{'a' * 64}.example/")


@pytest.mark.parametrize("size", [1, 4, 65536])
def test_every_member_of_a_gzip_body_counts(dial: Dial, size: int) -> None:
    members = gzip.compress(b"one and ") + gzip.compress(b"") + gzip.compress(b"two")
    head = OK + b"content-encoding: gzip \r\ncontent-length: %d\r\n\r\n" % len(members)
    transport, url = dial(says(head + members))
    assert body(transport.get(url, {}), size) == b"one and two"


@pytest.mark.parametrize("cut", [1, 20])
def test_a_gzip_body_that_ends_within_a_member_is_no_body(dial: Dial, cut: int) -> None:
    members = (gzip.compress(b"one") + gzip.compress(b"two"))[:-cut]
    head = OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(members)
    transport, url = dial(says(head + members))
    with pytest.raises(ConnectionLost, match="ended early"):
        body(transport.get(url, {}))


def test_what_follows_a_body_is_bounded() -> None:
    head = Head()
    head.feed(OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
    for number in range(HEAD_LIMIT // 1024):
        head.feed(b"trailer-%d: %s\r\n" % (number, b"a" * 1000))
    with pytest.raises(ProtocolError, match="exceeds"):
        head.feed(b"the-last: %s\r\n" % (b"a" * 10_000))


@pytest.mark.parametrize("begin", [b"x: ", b"transfer-encoding: chunked\r\n\r\n1;"])
def test_a_server_that_never_comes_to_the_point_is_given_up(dial: Dial, begin: bytes) -> None:
    def drip(client: socket.socket) -> None:
        client.sendall(OK + begin)
        for _ in range(200):
            select.select([], [], [client], 0.01)
            client.sendall(b"a")

    transport, url = dial(drip, read_seconds=0.1)
    with pytest.raises(TimedOut):
        body(transport.get(url, {}))


def test_a_status_that_is_none_is_counted_as_an_error_of_the_server(dial: Dial) -> None:
    metrics = Metrics("downloader")
    transport, url = dial(says(b"HTTP/1.1 999 Request denied\r\ncontent-length: 0\r\n\r\n"))
    TransportMetrics(metrics).wrap(transport, "reference").get(url, {}).close()
    labels = {"service": "downloader", "engine": "reference", "outcome": "5xx"}
    assert metrics.registry.get_sample_value("downloader_requests_total", labels) == 1


def test_connections_that_nobody_uses_are_bounded(dial: Dial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDLE", 3)
    opened, closed = threading.Semaphore(0), threading.Semaphore(0)

    def count(client: socket.socket) -> None:
        opened.release()
        says(*[OK + b"content-length: 0\r\n\r\n"] * 3)(client)
        closed.release()

    transport, _ = dial(count)
    for number in range(10):
        transport.get(f"http://a{number}.lab.test/", {}).close()
    assert all(opened.acquire(timeout=10) for _ in range(10))
    assert all(closed.acquire(timeout=10) for _ in range(7))
    transport.get("http://a9.lab.test/", {}).close()
    assert not opened.acquire(blocking=False), "the latest was not kept"


def test_a_body_without_length_that_is_aborted_has_no_end(dial: Dial) -> None:
    def hang(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(OK + b"\r\nhalf")
        client.recv(1)

    transport, url = dial(hang)
    response, buffer = transport.get(url, {}), memoryview(bytearray(4))
    assert response.readinto(buffer) == 4
    response.abort()
    with pytest.raises(ConnectionLost, match="aborted"):
        response.readinto(buffer)
    response.close()


def test_a_certificate_that_proves_nothing_is_not_asked_for_again(dial: Dial) -> None:
    transport, url = dial(says(OK), "https", trusted=False)
    with pytest.raises(Refused, match="is not who it says"):
        transport.get(url, {})


def test_an_encrypted_body_without_length_needs_its_end(dial: Dial) -> None:
    def cut(client: socket.socket) -> None:
        says(OK + b"\r\nhalf")(client)
        socket.socket.shutdown(client, socket.SHUT_RDWR)

    def end(client: socket.socket) -> None:
        says(OK + b"\r\nwhole")(client)
        assert isinstance(client, ssl.SSLSocket)
        client.unwrap()

    transport, url = dial(end, "https")
    assert body(transport.get(url, {})) == b"whole"
    transport, url = dial(cut, "https")
    with pytest.raises(ConnectionLost):
        body(transport.get(url, {}))


def test_who_reads_from_an_aborted_encrypted_answer_gets_none_of_what_is_encrypted(dial: Dial) -> None:
    sent = threading.Event()

    def flood(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(OK + b"content-length: 1000000\r\n\r\n")
        client.sendall(b"a" * FLOOD)
        sent.set()
        client.recv(1)

    transport, url = dial(flood, "https")
    response, buffer = transport.get(url, {}), memoryview(bytearray(FLOOD))
    count = response.readinto(buffer)
    assert sent.wait(10)
    response.abort()
    while bytes(buffer[:count]) == b"a" * count:
        try:
            count = response.readinto(buffer)
        except ConnectionLost:
            return response.close()
    pytest.fail(f"read {bytes(buffer[:10])!r}")
