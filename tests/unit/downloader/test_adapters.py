"""The real ports, where a mistake would not show in a simulated world."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.adapters.connection import Head
from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.storage import FileStorage
from downloader.adapters.transport import HttpTransport
from downloader.contract import StorageFailed, TimedOut
from downloader.core.validate import PORTS, place_of


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        transport = HttpTransport(AllowedHosts(["*"], url), read_seconds=0.05)
        with pytest.raises(TimedOut):
            transport.get(url, {})


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_a_body_that_came_with_its_head_fills_buffers_of_any_size(size: int) -> None:
    head, buffer, body = Head(), memoryview(bytearray(size)), bytearray()
    head.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
    while count := head.pour(buffer):
        body += buffer[:count]
    assert (bytes(body), head.ended) == (b"abcdefg", True)


@pytest.mark.parametrize("size", [0, 4, 10, 12])
@pytest.mark.parametrize("reopened", [False, True])
def test_a_published_file_has_the_size_that_was_said(tmp_path: Path, size: int, reopened: bool) -> None:
    storage = FileStorage(tmp_path)
    part = storage.create("a")
    part.write(memoryview(b"0123456789"), 0)
    if reopened:
        part.close()
        part = storage.reopen("a") or part
    part.publish(size)
    part.close()
    assert storage.path("a").read_bytes() == b"0123456789\0\0"[:size]


def test_a_checkpoint_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path) -> None:
    """Else it would outlive a new part file, and a crash would find it beside other bytes."""
    storage = FileStorage(tmp_path)
    storage.save("a", b"checkpoint")
    (tmp_path / "parts" / "a.json").unlink()
    assert storage.load("a") is None
    (tmp_path / "parts" / "a.json").mkdir()
    with pytest.raises(StorageFailed, match="cannot read a checkpoint"):
        storage.load("a")


@given(
    st.sampled_from(["http://", "HTTPS://", " http://", "http:/\n/", "http:", "//"]),
    st.text(alphabet="aB1.:/?#@[]%\\\n\t é", max_size=16),
)
def test_the_origin_that_is_looked_at_is_the_one_that_is_parsed(start: str, rest: str) -> None:
    url = start + rest
    try:
        place = place_of(url)
    except ValueError:
        return
    parts = urlsplit(url)
    assert (place.scheme, place.host) == (parts.scheme, (parts.hostname or "").removesuffix("."))
    assert place.port == parts.port or (parts.port is None and place.port == PORTS[place.scheme])
