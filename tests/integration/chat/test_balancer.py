"""Three replicas behind a TCP balancer that knows nothing of WebSockets."""

import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest


class Balancer(socketserver.ThreadingTCPServer):
    """Gives each connection to the next backend that takes it."""

    daemon_threads = True

    def __init__(self, backends: Sequence[tuple[str, int]]) -> None:
        super().__init__(("127.0.0.1", 0), Passage)
        self._turns = itertools.count()
        self._backends = backends

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server_address[1]}/"

    def backend(self) -> socket.socket:
        for _ in self._backends:
            with suppress(OSError):
                return socket.create_connection(self._backends[next(self._turns) % len(self._backends)])
        raise ConnectionRefusedError("no backend is there")


class Passage(socketserver.BaseRequestHandler):
    """Bytes of one connection, both ways, until one side ends it."""

    server: Balancer

    def handle(self) -> None:
        with self.server.backend() as backend:
            back = threading.Thread(target=pump, args=(backend, self.request))
            back.start()
            pump(self.request, backend)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def balanced(start_replica: Any) -> Iterator[tuple[list[Any], str]]:
    """The replicas, and the address at which they are one."""
    first = start_replica()
    replicas = [first, *(start_replica(beside=first) for _ in range(2))]
    places = [urlsplit(one.websocket) for one in replicas]
    with Balancer([(str(place.hostname), int(place.port or 0)) for place in places]) as balancer:
        thread = threading.Thread(target=balancer.serve_forever, args=(0.02,))
        thread.start()
        yield replicas, balancer.url
        for guest in first.guests:
            guest.leave()
        balancer.shutdown()
        thread.join()


def test_a_room_spans_replicas_and_survives_the_loss_of_one(balanced: tuple[list[Any], str]) -> None:
    (one, *others), url = balanced
    guests = [one.guest(f"guest-{number}", "room", at=url) for number in range(6)]
    places = [guest.welcome["replica"] for guest in guests]
    assert len(set(places)) == 3
    said = [guest.say("room", f"from {guest.name}") for guest in guests]
    for guest in guests:
        if said[-1] not in [event["id"] for event in guest.events("room")]:
            guest.until("message", id=said[-1])
        assert [event["id"] for event in guest.events("room")] == said
    lost = others[0].guest("watcher").welcome["replica"]
    gone = [guest for guest in guests if guest.welcome["replica"] == lost]
    stayed = [guest for guest in guests if guest not in gone]
    others[0].kill()
    missed = stayed[0].say("room", "meanwhile")
    for guest in gone:
        guest.closed_with()
        again = one.guest(guest.name, token=guest.token, at=url)
        again.join("room", after=said[-1])
        assert [event["id"] for event in again.events("room")] == [missed]
        assert again.welcome["replica"] != guest.welcome["replica"]
    assert (len(gone), len(stayed)) == (2, 4)


def test_behind_a_proxy_that_ends_tls_the_websocket_is_encrypted_too(replica: Any) -> None:
    plain, safe = (
        replica.ask("GET", "/v1/where", headers={"x-forwarded-proto": scheme, "host": "chat.example.org"})[1]
        for scheme in ("http", "https")
    )
    assert str(plain["websocket"]).startswith("ws://chat.example.org:")
    assert str(safe["websocket"]).startswith("wss://chat.example.org:")


def test_a_proxy_may_have_the_websocket_anywhere(start_replica: Any) -> None:
    replica = start_replica(chat_public_url="wss://chat.example.org/socket")
    assert replica.websocket == "wss://chat.example.org/socket"
