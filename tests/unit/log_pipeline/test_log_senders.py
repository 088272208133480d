"""Nothing that goes wrong with one sender, or with an engine, ends what takes in all of them."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_kit.simulated import SimulatedClock
from log_pipeline.adapters.sockets import TcpListener, UdpListener, join_all

if TYPE_CHECKING:
    from log_pipeline.adapters.intake import Intake

    from .conftest import Site

ANY = ("127.0.0.1", 0)


@pytest.fixture
def intake(site: "Site") -> "Iterator[Intake]":
    intake = site.intake
    yield intake
    intake.ending.set()


class Exhausted:
    """A socket that fails once, as with too many open files."""

    def __init__(self, inner: socket.socket) -> None:
        self._inner, self.failed = inner, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def accept(self) -> object:
        if self.failed:
            return self._inner.accept()
        self.failed = True
        raise OSError(errno.EMFILE, "Too many open files")


def test_too_many_open_files_do_not_end_the_listener(site: "Site", intake: "Intake") -> None:
    listener = TcpListener(intake, *ANY)
    listener._socket = cast(socket.socket, Exhausted(listener._socket))
    listener.start()
    with socket.create_connection(("127.0.0.1", listener.port)) as sender:
        sender.sendall(b"x\n")
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""
    intake.ending.set()
    listener.join(30)
    assert len(site.door.lines) == 1


def test_who_had_come_before_the_end_is_let_in(site: "Site", intake: "Intake") -> None:
    listener = TcpListener(intake, *ANY)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", listener.port)) as sender:
            sender.sendall(b"x\n")
    intake.ending.set()
    listener.start()
    listener.join(30)
    assert len(site.door.lines) == 20


def test_an_engine_that_raises_ends_neither_listener(site: "Site", intake: "Intake") -> None:
    site.door.error = ZeroDivisionError("of a learner's engine")
    tcp, udp = TcpListener(intake, *ANY), UdpListener(intake, *ANY)
    for listener in (tcp, udp):
        listener.start()
    with socket.create_connection(("127.0.0.1", tcp.port)) as sender:
        sender.sendall(b"x\n")
        with suppress(ConnectionResetError):
            assert sender.recv(1) == b""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", udp.port))
    ended = threading.Event()
    while site.seen.oddities["no-timestamp"] < 2:
        ended.wait(0.01)
    site.door.error = None
    assert udp._thread.is_alive()
    assert tcp._acceptor.is_alive()
    intake.ending.set()
    for listener in (tcp, udp):
        listener.join(30)
    assert not tcp._threads


def test_all_datagrams_that_have_arrived_are_taken_at_the_end(site: "Site", intake: "Intake") -> None:
    listener = UdpListener(intake, *ANY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(1200):
            sender.sendto(b"x", ("127.0.0.1", listener.port))
    intake.ending.set()
    listener.start()
    listener.join(30)
    assert len(site.door.lines) == 1200


def test_all_threads_together_are_waited_for_no_longer_than_was_said() -> None:
    clock = SimulatedClock()

    class Stuck:
        def join(self, timeout: float) -> None:
            clock.advance(timeout)

    began = clock.monotonic()
    join_all([cast(threading.Thread, Stuck()) for _ in range(100)], 2.0, clock)
    assert clock.monotonic() == began + 2.0
