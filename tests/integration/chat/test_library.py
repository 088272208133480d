"""RFC 6455, driven from `websockets`' own client: what it sends in its ways, the service understands."""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect


@pytest.fixture
def hello(replica: Any) -> Iterator[Callable[..., ClientConnection]]:
    """A function that connects, with options of the library, and signs in."""
    token = replica.sign_in("librarian", admin=True)
    with ExitStack() as ends:

        def enter(**options: Any) -> ClientConnection:
            socket = ends.enter_context(connect(replica.websocket, close_timeout=1, **options))
            socket.send(json.dumps({"type": "hello", "token": token}))
            assert json.loads(socket.recv(10))["type"] == "welcome"
            return socket

        yield enter


def ended(socket: ClientConnection) -> ConnectionClosed:
    """How the service ends it."""
    try:
        while True:
            socket.recv(10)
    except ConnectionClosed as error:
        return error


def answer_to(socket: ClientConnection, *pieces: bytes | str) -> str:
    """Send a request in these pieces; the type of the answer."""
    socket.send(pieces, text=True) if len(pieces) > 1 else socket.send(*pieces, text=True)
    return str(json.loads(socket.recv(10))["type"])


def test_it_declines_compression_and_agrees_on_no_subprotocol(hello: Callable[..., ClientConnection]) -> None:
    socket = hello(compression="deflate", subprotocols=["chat", "superchat"])
    assert (socket.protocol.extensions, socket.subprotocol) == ([], None)


def test_a_message_in_many_fragments_is_one(hello: Callable[..., ClientConnection]) -> None:
    whole = json.dumps({"type": "rooms", "ref": "é€😀"}, ensure_ascii=False)
    assert answer_to(hello(), *(whole.encode()[at : at + 1] for at in range(len(whole.encode())))) == "rooms"
    assert answer_to(hello(), "", whole[:5], "", whole[5:], "") == "rooms"


def test_pings_between_fragments_are_answered(hello: Callable[..., ClientConnection]) -> None:
    socket = hello()

    def pieces() -> Iterator[str]:
        yield '{"type": '
        assert socket.ping(b"in the middle").wait(10)
        yield '"rooms"}'

    socket.send(pieces())
    assert json.loads(socket.recv(10))["type"] == "rooms"


def test_pings_carry_up_to_125_bytes_and_are_answered_in_order(
    hello: Callable[..., ClientConnection],
) -> None:
    socket = hello()
    waiting = [socket.ping(payload) for payload in (b"", b"x" * 125, b"\x00\xff")]
    assert all(pong.wait(10) for pong in waiting)


def test_an_unasked_pong_is_no_message(hello: Callable[..., ClientConnection]) -> None:
    socket = hello()
    socket.pong(b"unasked")
    assert answer_to(socket, '{"type": "rooms"}') == "rooms"


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 3000, 4999])
def test_any_code_that_may_be_sent_is_echoed(hello: Callable[..., ClientConnection], code: int) -> None:
    socket = hello()
    socket.close(code, "é" * 50)
    assert ended(socket).rcvd == ended(socket).sent
    assert ended(socket).rcvd_then_sent is False
    assert socket.close_code == code


def test_a_message_of_the_greatest_size_is_read_and_a_greater_one_is_not(
    hello: Callable[..., ClientConnection],
) -> None:
    empty = len('{"type": "levitate", "text": ""}')
    socket = hello(max_size=None)
    socket.send(json.dumps({"type": "levitate", "text": "x" * (65536 - empty)}))
    assert answer_to(socket, '{"type": "rooms"}') == "rooms"
    socket.send(json.dumps({"type": "levitate", "text": "x" * (65537 - empty)}))
    assert ended(socket).rcvd.code == CloseCode.MESSAGE_TOO_BIG  # type: ignore[union-attr]  # it came


def test_binary_is_not_spoken_here(hello: Callable[..., ClientConnection]) -> None:
    socket = hello()
    socket.send(b'{"type": "rooms"}')
    assert ended(socket).rcvd.code == CloseCode.UNSUPPORTED_DATA  # type: ignore[union-attr]  # it came


@pytest.mark.parametrize("pieces", [[b"\xff"], [b'"\xe2\x82', b'\x28"'], [b"\xed\xa0", b"\x80"]])
def test_text_that_is_no_utf_8_ends_it(hello: Callable[..., ClientConnection], pieces: list[bytes]) -> None:
    socket = hello()
    with suppress(ConnectionClosed):  # perhaps already amid them
        socket.send(pieces, text=True)
    assert ended(socket).rcvd.code == CloseCode.INVALID_DATA  # type: ignore[union-attr]  # it came


def test_a_mask_that_is_another_each_time_makes_no_difference(hello: Callable[..., ClientConnection]) -> None:
    socket = hello()
    for _ in range(20):  # the library draws a new one for each
        assert answer_to(socket, '{"type": "rooms"}') == "rooms"


def test_a_stranger_s_page_is_refused_with_a_reason(replica: Any) -> None:
    with pytest.raises(InvalidStatus) as caught, connect(replica.websocket, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403
    assert b"CHAT_ORIGINS" in (caught.value.response.body or b"")


def test_a_close_while_a_message_is_unfinished_is_a_close(hello: Callable[..., ClientConnection]) -> None:
    socket = hello()

    def pieces() -> Iterator[str]:
        yield '{"type": '
        socket.socket.sendall(b"\x88\x82\x00\x00\x00\x00" + struct.pack("!H", 1001))
        assert ended(socket).rcvd.code == 1001  # type: ignore[union-attr]  # it came
        yield "never"

    with pytest.raises(ConnectionClosed):
        socket.send(pieces())
