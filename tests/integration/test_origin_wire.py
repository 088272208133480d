"""The origin on the wire: files, pages, validators, and how it starts and ends."""

import hashlib
import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import psutil
import pytest

from lab.origin.content import digest, read
from lab.origin.testing import RunningOrigin, running


@pytest.fixture(scope="module")
def origin() -> Iterator[RunningOrigin]:
    with running(ORIGIN_SEED="3", ORIGIN_PAGES="40") as started:
        yield started


@pytest.fixture
def connection(origin: RunningOrigin) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(*origin.address, timeout=10)
    yield connection
    connection.close()


def get(
    connection: HTTPConnection, path: str, method: str = "GET", **fields: str
) -> tuple[HTTPResponse, bytes]:
    connection.request(
        method, path, headers={name.replace("_", "-"): value for name, value in fields.items()}
    )
    response = connection.getresponse()
    return response, response.read()


@pytest.mark.parametrize("size", [0, 1, 1500, 32 * 1024, 32 * 1024 + 1, 9 * 2**20])
def test_a_file_is_what_the_pure_functions_say(connection: HTTPConnection, size: int) -> None:
    response, body = get(connection, f"/files/{size}/some/name")
    assert (response.status, len(body), response.headers["Content-Length"]) == (200, size, str(size))
    assert hashlib.sha256(body).hexdigest() == digest(3, "default", f"/files/{size}/some/name", size)


def test_a_checksum_is_served_and_then_known(connection: HTTPConnection) -> None:
    path = "3MiB/checked"
    assert "Repr-Digest" not in get(connection, f"/files/{path}", "HEAD")[0].headers
    _, body = get(connection, f"/sha256/{path}")
    sha256 = digest(3, "default", f"/files/{path}", 3 * 2**20)
    assert json.loads(body) == {"size": 3 * 2**20, "sha256": sha256}
    assert get(connection, f"/files/{path}", "HEAD")[0].headers["Repr-Digest"].startswith("sha-256=:")
    assert "Repr-Digest" not in get(connection, f"/files/{path}?version=1", "HEAD")[0].headers


def test_a_range_near_the_end_of_a_large_file(connection: HTTPConnection) -> None:
    size, start = 2**31, 2**31 - 100_000
    response, body = get(connection, "/files/2GiB/large", Range=f"bytes={start}-")
    assert (response.status, response.headers["Content-Range"]) == (206, f"bytes {start}-{size - 1}/{size}")
    assert body == read(3, "default", "/files/2GiB/large", size, 0, start, size)


def test_validators_and_conditions(connection: HTTPConnection) -> None:
    path = "/files/64KiB/conditional"
    headers = get(connection, path, "HEAD")[0].headers
    etag, date = headers["ETag"], headers["Last-Modified"]
    assert headers["Accept-Ranges"] == "bytes"
    assert get(connection, path, If_None_Match=etag)[0].status == 304
    assert get(connection, path, If_Modified_Since=date)[0].status == 304
    assert get(connection, path, If_Match='"x"')[0].status == 412
    assert get(connection, path, Range="bytes=9-", If_Range=etag)[0].status == 206
    assert get(connection, path, Range="bytes=9-", If_Range=date)[0].status == 206
    response, body = get(connection, f"{path}?version=1", Range="bytes=9-", If_Range=etag)
    assert (response.status, len(body)) == (200, 65536)
    response, body = get(connection, path, Range="bytes=65536-")
    assert (response.status, response.headers["Content-Range"], body) == (416, "bytes */65536", b"")


def test_validators_can_be_taken_away(connection: HTTPConnection) -> None:
    assert get(connection, "/files/1/x?etag=weak", "HEAD")[0].headers["ETag"].startswith('W/"')
    bare = get(connection, "/files/1/x?etag=none&lastmod=none", "HEAD")[0].headers
    assert not {"ETag", "Last-Modified"} & set(bare)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_large_and_small_share_a_connection(connection: HTTPConnection, method: str) -> None:
    for path in ("/files/10/a", "/files/1MiB/b", "/page/1", "/files/1MiB/b", "/files/0/c", "/robots.txt"):
        assert get(connection, path, method)[0].status == 200
    first = connection.sock
    get(connection, "/health")
    assert connection.sock is first


def test_pipelined_requests_are_answered_in_order(origin: RunningOrigin) -> None:
    def request(path: str, end: str = "") -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: x\r\n{end}\r\n".encode()

    with socket.create_connection(origin.address, timeout=10) as raw:
        raw.sendall(
            request("/files/9/a") + request("/files/1MiB/b") + request("/files/9/c", "Connection: close\r\n")
        )
        data = b"".join(iter(lambda: raw.recv(1 << 20), b""))
    bodies = [
        read(3, "default", path, size, 0, 0, size) for path, size in (("/files/9/a", 9), ("/files/9/c", 9))
    ]
    large = read(3, "default", "/files/1MiB/b", 2**20, 0, 0, 2**20)
    assert data.index(bodies[0]) < data.index(large)
    assert data.endswith(bodies[1])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/files/-1/x", "-1"),
        ("/files/1ZiB/x", "1ZiB"),
        ("/sha256/2TiB/x", "limit is 1TiB"),
        ("/files/1/x?etag=good", "strong, weak, none"),
        ("/files/1/x?version=-1", "version"),
        ("/files/1/x?drop-aftr=1", "drop-after"),
        ("/files/1/x?status=200", "from 400 to 599"),
    ],
)
def test_bad_input_is_a_problem(connection: HTTPConnection, path: str, said: str) -> None:
    response, body = get(connection, path)
    assert (response.status, response.headers.get_content_type()) == (400, "application/problem+json")
    assert said in json.loads(body)["detail"]


def test_what_is_not_there(connection: HTTPConnection) -> None:
    for path in ("/nothing", "/page/0", "/page/41", "/page/x"):
        response, body = get(connection, path)
        assert (response.status, json.loads(body)["status"]) == (404, 404)
    response, _ = get(connection, "/page/1", "DELETE")
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_each_domain_has_its_own_web(connection: HTTPConnection) -> None:
    for path in ("/page/1", "/files/64/x"):
        here, there = (
            get(connection, path, Host=host)[1] for host in ("site-1.lab.test", "site-2.lab.test:80")
        )
        assert here != there
    assert b"faults" in get(connection, "/")[1]
    assert get(connection, "/", Host="a.lab.test")[1] == get(connection, "/page/1", Host="a.lab.test")[1]
    assert b"http://a.lab.test/page/40<" in get(connection, "/sitemap.xml", Host="a.lab.test")[1]


def test_http_1_0_without_a_host(origin: RunningOrigin) -> None:
    with socket.create_connection(origin.address, timeout=10) as raw:
        raw.sendall(b"GET /files/100KiB/old?no-length=1 HTTP/1.0\r\n\r\n")
        head, _, body = b"".join(iter(lambda: raw.recv(1 << 20), b"")).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert hashlib.sha256(body).hexdigest() == digest(3, "default", "/files/100KiB/old", 100 * 1024)


def test_metrics_start_at_zero_and_count(connection: HTTPConnection) -> None:
    def metric(name: str) -> float:
        (value,) = re.findall(
            rf"^{re.escape(name)} (\S+)$", get(connection, "/metrics")[1].decode(), re.MULTILINE
        )
        return float(value)

    sent = 'origin_bytes_sent_total{engine="",service="origin"}'
    answered = 'lab_requests_total{code="416",engine="",route="/sitemap.xml",service="origin"}'
    before = metric(sent)
    assert metric(answered) == 0
    get(connection, "/files/1MiB/counted")
    assert get(connection, "/sitemap.xml", Range="bytes=9999999-")[0].status == 416
    assert metric(sent) == before + 2**20
    assert metric(answered) == 1
    assert metric('origin_connections{engine="",service="origin"}') >= 1


def test_memory_stays_flat(origin: RunningOrigin) -> None:
    process, buffer = psutil.Process(origin.process.pid), bytearray(1 << 20)
    with urllib.request.urlopen(f"{origin.url}/files/1GiB/flat") as response:
        response.readinto(buffer)
        before, peak, total = process.memory_info().rss, 0, len(buffer)
        while count := response.readinto(buffer):
            total += count
            peak = max(peak, process.memory_info().rss) if total % (64 << 20) < count else peak
    assert total == 2**30
    assert peak - before < 4 << 20


def test_sigterm_ends_it_in_the_middle_of_everything() -> None:
    with running() as origin:
        paths = ("stall=1", "slow-loris=60", "bandwidth=1000", "latency-fixed=60", "version=1")
        clients = [socket.create_connection(origin.address, timeout=10) for _ in paths]
        for client, query in zip(clients, paths, strict=True):
            client.sendall(f"GET /files/100MiB/x?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            if "latency" not in query:
                assert client.recv(1)
        origin.process.terminate()
        assert origin.process.wait(timeout=10) == 0
        for client in clients:
            client.close()


def test_a_client_that_leaves_ends_its_request(origin: RunningOrigin, connection: HTTPConnection) -> None:
    def in_flight() -> bytes:
        return re.findall(rb"^lab_tasks_in_flight.* (\S+)$", get(connection, "/metrics")[1], re.MULTILINE)[0]

    with socket.create_connection(origin.address, timeout=10) as client:
        client.sendall(b"GET /files/1MiB/x?stall=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1)
        assert in_flight() == b"2.0"
    deadline = time.monotonic() + 10
    while in_flight() != b"1.0":
        assert time.monotonic() < deadline


@pytest.mark.parametrize("path", ["/page/1", "/files/1KiB/a", "/robots.txt", "/sitemap.xml", "/"])
def test_a_host_that_is_no_text_is_refused(connection: HTTPConnection, path: str) -> None:
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", b"\xff.lab.test")
    connection.endheaders()
    response = connection.getresponse()
    told = json.load(response)
    assert response.status == 400
    assert "is not a host" in told["detail"]


@pytest.mark.parametrize(
    ("body", "fields", "words"),
    [
        ("[" * 60_000, {}, "send JSON like"),
        ("junk", {"Content-Encoding": "gzip"}, "the body cannot be read"),
    ],
)
def test_faults_that_cannot_be_read_are_refused(
    connection: HTTPConnection, body: str, fields: dict[str, str], words: str
) -> None:
    connection.request("PUT", "/lab/faults", body, fields)
    response = connection.getresponse()
    told = json.load(response)
    assert response.status == 400
    assert words in told["detail"]
