"""One HTTP/1.1 connection (RFC 9112): a parser for the head, the bare socket for the body."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httptools

from downloader.contract import ConnectionLost, ProtocolError, TimedOut

HEAD_LIMIT = 256 * 1024
HEAD_READ = 96 * 1024  # a small file comes with its head, and below what malloc asks the kernel for
NO_BODY = frozenset({204, 304})


class Connection:
    """A socket used by one thread at a time; only `abort` may come from another."""

    def __init__(self, sock: socket.socket, patience: float) -> None:
        self._socket, self._patience = sock, patience
        self._open, self._aborted = True, False
        self._open_lock = threading.Lock()

    def request(self, request: bytes) -> "Head":
        """Send `request`, read the head of the answer. Raises `ConnectionLost`, `TimedOut`, `ProtocolError`."""
        self._guarded(self._socket.sendall, request)
        head = Head()
        self.feed(head, HEAD_READ, lambda: head.done)
        return head

    def feed(self, head: "Head", size: int, enough: Callable[[], object]) -> None:
        """Read on for `head` until there is `enough`; a server that sends bytes, and never that, is given up."""
        due = time.monotonic() + self._patience
        while not enough():
            if time.monotonic() > due:
                raise TimedOut(f"no head and no body came in {self._patience:g} s, only bytes around them")
            head.feed(self._read(size))

    def readinto(self, buffer: memoryview) -> int:
        """What is there, straight from the kernel into `buffer`; 0 when the server closed."""
        count = self._guarded(self._socket.recv_into, buffer)
        if count == 0 and self._aborted:
            raise ConnectionLost("the request was aborted")
        return count

    def abort(self) -> None:
        """Wake whoever reads. The lock keeps the descriptor from being somebody else's by now. The `shutdown` of
        an `SSLSocket` would let the reader have what is still encrypted."""
        with self._open_lock:
            self._aborted = True
            if self._open:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        with self._open_lock:
            self._open = False
            self._socket.close()

    def _read(self, size: int) -> bytes:
        """At least one byte."""
        data = self._guarded(self._socket.recv, size)
        if not data:
            raise ConnectionLost("the server closed the connection")
        return data

    @staticmethod
    def _guarded[A, T](step: Callable[[A], T], argument: A) -> T:
        try:
            return step(argument)
        except (TimeoutError, BlockingIOError) as error:
            raise TimedOut("no bytes came in time") from error
        except OSError as error:
            raise ConnectionLost(f"the connection was lost: {error.strerror or error}") from error


class Head:
    """The head of one answer, and the bytes of the body that came with it. 1xx answers are passed over."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.done = self.ended = False
        self._size = 0
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Raises `ProtocolError` for what is not HTTP, or has no end."""
        self._size += len(data)
        if self._size > HEAD_LIMIT:
            raise ProtocolError(
                f"the head of the answer, or what follows its body, exceeds {HEAD_LIMIT} bytes"
            )
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise ProtocolError("the server changed to another protocol, which nobody asked for") from error
        except httptools.HttpParserError as error:
            raise ProtocolError(f"the answer is not HTTP/1.1: {error.__context__ or error}") from error

    def pour(self, buffer: memoryview) -> int:
        """Move bytes of the body that came through the parser into `buffer`; returns how many."""
        body = b"".join(self.body)
        count = min(len(body), len(buffer))
        buffer[:count] = body[:count]
        self.body = [body[count:]] if count < len(body) else []
        return count

    @property
    def length(self) -> int | None:
        """Bytes of the body; None when it is chunked, or ends with the connection."""
        if self.status in NO_BODY:
            return 0
        length = self.headers.get("content-length")
        return None if self.chunked or length is None else int(length)

    @property
    def chunked(self) -> bool:
        return "transfer-encoding" in self.headers

    @property
    def keeps_alive(self) -> bool:
        connection = self.headers.get("connection", "").lower()
        modern = self._parser.get_http_version() == "1.1"
        return "keep-alive" in connection or (modern and "close" not in connection)

    # Called by the parser.

    def on_message_begin(self) -> None:
        if self.ended:
            raise ProtocolError("a second answer follows the first")
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.done = self.status >= 200

    def on_body(self, body: bytes) -> None:
        self.body.append(body)
        self._size = 0

    def on_message_complete(self) -> None:
        self.ended = self.done
