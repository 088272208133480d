"""RFC 6455, from raw sockets: what a client must not do, and what the service answers."""

import base64
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.integration.chat.wire import BINARY, CLOSE, CONT, PING, PONG, TEXT, Wire


@pytest.fixture
def wire(replica: Any) -> Iterator[Any]:
    """A function that opens a wire to the service."""
    with ExitStack() as ends:

        def opened(**headers: str) -> Wire:
            one = Wire(replica.websocket, **headers)
            ends.enter_context(closing(one.socket))
            return one

        yield opened


def test_the_handshake_is_that_of_the_rfc(wire: Any) -> None:
    opened = wire()
    assert opened.status == 101
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in opened.head
    assert "Sec-WebSocket-Extensions" not in opened.head


def test_compression_is_declined(wire: Any) -> None:
    opened = wire(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
    assert (opened.status, "permessage" in opened.head) == (101, False)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": ""}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec_WebSocket_Version": "8"}, 400),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": base64.b64encode(b"short").decode()}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_a_handshake_that_is_none_is_refused(wire: Any, headers: dict[str, str], status: int) -> None:
    assert wire(**headers).status == status


def test_a_page_of_this_host_may_connect(wire: Any, replica: Any) -> None:
    assert wire(Origin=replica.url).status == 101


def test_a_ping_is_answered_with_its_payload_also_in_the_middle_of_a_message(wire: Any) -> None:
    opened = wire()
    opened.send(PING, b"alone")
    assert opened.frame() == (PONG, b"alone")
    opened.send(TEXT, b'{"type": "hel', fin=False)
    opened.send(PING, b"between")
    assert opened.frame() == (PONG, b"between")
    opened.send(CONT, b'lo", "token": "x"}')
    opcode, payload = opened.frame()
    assert (opcode, b"not_signed_in" in payload) == (TEXT, True)


def test_an_unsolicited_pong_is_ignored(wire: Any) -> None:
    opened = wire()
    opened.send(PONG, b"nobody asked")
    opened.send(PING, b"still here")
    assert opened.frame() == (PONG, b"still here")


def test_text_may_be_cut_within_a_character(wire: Any) -> None:
    opened = wire()
    whole = '{"type": "levitate", "text": "é€😀"}'.encode()
    for at in range(len(whole)):
        opened.send(CONT if at else TEXT, whole[at : at + 1], fin=False)
    opened.send(CONT, b"")
    opened.send(PING, b"fine")
    assert opened.frame() == (PONG, b"fine")


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_is_echoed_and_the_connection_ended(wire: Any, code: int) -> None:
    opened = wire()
    opened.send(CLOSE, struct.pack("!H", code) + b"bye")
    assert opened.code() == code


def test_a_close_without_a_code_is_one(wire: Any) -> None:
    opened = wire()
    opened.send(CLOSE)
    assert opened.frame() == (CLOSE, b"")
    assert opened.frame() == (-1, b"")


def broken(*frames: tuple[int, bytes, dict[str, Any]]) -> Any:
    return frames


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        pytest.param(broken((TEXT, b"{}", {"mask": False})), 1002, id="not masked"),
        pytest.param(broken((TEXT, b"{}", {"rsv": 4})), 1002, id="a reserved bit"),
        pytest.param(broken((TEXT, b"{}", {"rsv": 1})), 1002, id="another reserved bit"),
        pytest.param(broken((3, b"", {})), 1002, id="a reserved opcode"),
        pytest.param(broken((11, b"", {})), 1002, id="a reserved control opcode"),
        pytest.param(broken((PING, b"x" * 126, {})), 1002, id="a control frame of 126 bytes"),
        pytest.param(broken((PING, b"", {"fin": False})), 1002, id="a fragmented control frame"),
        pytest.param(broken((CLOSE, b"x", {})), 1002, id="a close of one byte"),
        pytest.param(broken((CLOSE, struct.pack("!H", 999), {})), 1002, id="a close code too small"),
        pytest.param(broken((CLOSE, struct.pack("!H", 1005), {})), 1002, id="a close code that is none"),
        pytest.param(
            broken((CLOSE, struct.pack("!H", 1000) + b"\xff", {})), 1007, id="a reason that is no text"
        ),
        pytest.param(broken((CONT, b"x", {})), 1002, id="a continuation of nothing"),
        pytest.param(broken((TEXT, b"x", {"fin": False}), (TEXT, b"y", {})), 1002, id="two messages at once"),
        pytest.param(broken((TEXT, b"\xc0\xaf", {})), 1007, id="overlong UTF-8"),
        pytest.param(broken((TEXT, b"\xed\xa0\x80", {})), 1007, id="a surrogate"),
        pytest.param(broken((TEXT, b"\xf4\x90\x80\x80", {})), 1007, id="beyond Unicode"),
        pytest.param(
            broken((TEXT, b"ok", {"fin": False}), (CONT, b"\xff", {"fin": False})), 1007, id="bad at once"
        ),
        pytest.param(broken((TEXT, b"\xe2\x82", {})), 1007, id="UTF-8 that ends too early"),
        pytest.param(broken((BINARY, b"\x00", {})), 1003, id="binary"),
        pytest.param(broken((TEXT, b"", {"size": 65537})), 1009, id="a frame too large"),
        pytest.param(broken((TEXT, b"", {"size": 1 << 62})), 1009, id="a frame absurdly large"),
        pytest.param(
            broken((TEXT, b"x" * 40_000, {"fin": False}), (CONT, b"x" * 40_000, {})),
            1009,
            id="fragments too large",
        ),
        pytest.param(
            broken(*[(CONT if at else TEXT, b"", {"fin": False}) for at in range(1100)]),
            1008,
            id="fragments without end",
        ),
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(wire: Any, frames: Any, code: int) -> None:
    opened = wire()
    for opcode, payload, options in frames:
        opened.send(opcode, payload, **options)
    assert opened.code() == code


def test_after_a_close_nothing_is_read(wire: Any, replica: Any) -> None:
    opened = wire()
    before = replica.metric("chat_messages_total")
    opened.send(CLOSE, struct.pack("!H", 1000))
    opened.send(TEXT, b'{"type": "levitate"}')
    assert opened.code() == 1000
    assert replica.metric("chat_messages_total") == before


def test_what_is_no_http_is_dropped(replica: Any) -> None:
    where = urlsplit(replica.websocket)
    with socket.create_connection((where.hostname, where.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01 this is something else\r\n\r\n")
        assert raw.recv(1000) == b""
