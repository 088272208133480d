"""HTTP over kept-alive connections: redirects, allowed hosts, and bodies that go straight to their buffer."""

import re
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import takewhile
from urllib.parse import quote, urljoin, urlsplit

from downloader.adapters.connection import Connection, Head
from downloader.adapters.hosts import AllowedHosts, Endpoint
from downloader.contract import ConnectionLost, Refused, Response, TimedOut, TransferError
from downloader.core.validate import Place

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5
CONNECT_SECONDS, READ_SECONDS, IDLE_SECONDS = 5.0, 30.0, 15.0
MOST_IDLE = 256
DECODABLE = frozenset({"gzip", "x-gzip", "deflate"})
SAFE = "/%:@!$&'()*+,;=~-._?[]"
PLAIN = re.compile(rf"[^/?#]*//[^/?#]*(/[\w{re.escape(SAFE)}]*)", re.ASCII)
ALWAYS = "user-agent: concurrency-lab-downloader\r\naccept: */*\r\n"


class Body:
    """The answer to one request; see `contract.Response`."""

    def __init__(self, connection: Connection, head: Head, give_back: Callable[[Connection], None]) -> None:
        self._connection, self._head, self._give_back = connection, head, give_back
        self._left = head.length
        self._closed = False
        self.status, self.headers = head.status, head.headers

    def readinto(self, buffer: memoryview) -> int:
        if self._left == 0:
            return 0
        parsed = self._head.body or self._head.chunked
        count = self._from_parser(buffer) if parsed else self._from_socket(buffer)
        self._left = None if self._left is None else self._left - count
        return count

    def abort(self) -> None:
        if not self._closed:
            self._connection.abort()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        whole = self._head.ended if self._head.chunked else self._left == 0
        if whole and self._head.keeps_alive and not self._head.body:
            self._give_back(self._connection)
        else:
            self._connection.close()

    def _from_parser(self, buffer: memoryview) -> int:
        """What came with the head, or a chunked body."""
        self._connection.feed(self._head, 65536, lambda: self._head.body or self._head.ended)
        return self._head.pour(buffer)

    def _from_socket(self, buffer: memoryview) -> int:
        count = self._connection.readinto(buffer if self._left is None else buffer[: self._left])
        if count == 0 and self._left is not None:
            raise ConnectionLost(
                f"the server closed the connection {self._left} bytes before the promised end"
            )
        return count


class Decoded:
    """An answer that came encoded although identity was asked for, decoded; its length is unknown."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._decoder = _decoder()
        self._input = memoryview(bytearray(65536))
        self._pending = b""
        dropped = ("content-encoding", "content-length", "etag", "accept-ranges")
        self.status = response.status
        self.headers = {name: value for name, value in response.headers.items() if name not in dropped}
        self.abort, self.close = response.abort, response.close

    def readinto(self, buffer: memoryview) -> int:
        while raw := self._pending or bytes(self._input[: self._response.readinto(self._input)]):
            if data := self._decoded(raw, len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        if not self._decoder.eof:
            raise ConnectionLost("the encoded body ended early")
        return 0

    def _decoded(self, raw: bytes, most: int) -> bytes:
        """At most `most` bytes of what `raw` means; what is left of it is pending."""
        if self._decoder.eof:  # a gzip file may have several members (RFC 1952 §2.2)
            self._decoder = _decoder()
        try:
            data = self._decoder.decompress(raw, most)
        except zlib.error as error:
            raise Refused(f"the body is not encoded as its headers say: {error}") from error
        self._pending = self._decoder.unconsumed_tail or self._decoder.unused_data
        return data


class HttpTransport:
    """See `contract.Transport`. One lock guards the idle connections; each connection has one user."""

    def __init__(self, hosts: AllowedHosts, read_seconds: float = READ_SECONDS) -> None:
        self._hosts, self._read_seconds = hosts, read_seconds
        self._idle: dict[Connection, tuple[Endpoint, float]] = {}  # the longest idle first
        self._idle_lock = threading.Lock()

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        for _ in range(MOST_REDIRECTS + 1):
            response = self._exchange(url, headers)
            location = response.headers.get("location")
            if response.status not in REDIRECTS or not location:
                return _readable(response)
            response.close()
            url = _joined(url, location)
        raise Refused(f"more than {MOST_REDIRECTS} redirects, the last to {url}")

    def close(self) -> None:
        """Close the idle connections."""
        with self._idle_lock:
            idle = list(self._idle)
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _exchange(self, url: str, headers: Mapping[str, str]) -> Body:
        endpoint = self._hosts.endpoint(url)
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        host = f"host: {endpoint.place.authority}\r\n"
        request = f"GET {_target(url)} HTTP/1.1\r\n{host}{ALWAYS}{lines}\r\n".encode("latin-1")
        kept = self._kept(endpoint)
        if kept:
            with suppress(ConnectionLost):  # the server may close an idle connection at any moment: ask anew
                return self._ask(kept, endpoint, request)
        return self._ask(self._connect(endpoint), endpoint, request)

    def _ask(self, connection: Connection, endpoint: Endpoint, request: bytes) -> Body:
        try:
            head = connection.request(request)
        except TransferError:
            connection.close()
            raise
        return Body(connection, head, lambda kept: self._keep(endpoint, kept))

    def _connect(self, endpoint: Endpoint) -> Connection:
        failure: Exception | None = None
        for address in endpoint.addresses:
            try:
                sock = socket.create_connection((address, endpoint.port), CONNECT_SECONDS)
                return Connection(self._prepared(sock, endpoint.place), self._read_seconds)
            except ssl.SSLCertVerificationError as error:
                raise Refused(
                    f"{endpoint.place.authority} is not who it says: {error.verify_message}"
                ) from error
            except OSError as error:
                failure = error
        lost = TimedOut if isinstance(failure, TimeoutError) else ConnectionLost
        raise lost(f"cannot connect to {endpoint.place.authority}: {failure}") from failure

    def _prepared(self, sock: socket.socket, place: Place) -> socket.socket:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.scheme == "http":
            return _timed_by_the_kernel(sock, self._read_seconds)
        sock.settimeout(self._read_seconds)
        try:
            return self._tls.wrap_socket(sock, server_hostname=place.host, suppress_ragged_eofs=False)
        except OSError:
            sock.close()
            raise

    def _kept(self, endpoint: Endpoint) -> Connection | None:
        oldest = time.monotonic() - IDLE_SECONDS
        with self._idle_lock:
            stale = list(takewhile(lambda one: self._idle[one][1] <= oldest, self._idle))
            for connection in stale:
                del self._idle[connection]
            found = next((one for one in reversed(self._idle) if self._idle[one][0] == endpoint), None)
            if found:
                del self._idle[found]
        for connection in stale:
            connection.close()
        return found

    def _keep(self, endpoint: Endpoint, connection: Connection) -> None:
        with self._idle_lock:
            self._idle[connection] = endpoint, time.monotonic()
            surplus = next(iter(self._idle)) if len(self._idle) > MOST_IDLE else None
            if surplus:
                del self._idle[surplus]
        if surplus:
            surplus.close()


def _decoder() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 32)


def _joined(url: str, location: str) -> str:
    """Where a redirect from `url` leads; some servers send other bytes than ASCII."""
    try:
        return urljoin(url, quote(location.encode("latin-1"), f"{SAFE}#"))
    except ValueError as error:
        raise Refused(f"a redirect to {location!r}, which is no URL: {error}") from error


def _target(url: str) -> str:
    """What of `url` is asked for, quoted where that is still to be done."""
    if plain := PLAIN.fullmatch(url):
        return plain[1]
    parts = urlsplit(url)
    query = f"?{quote(parts.query, SAFE)}" if parts.query else ""
    return quote(parts.path or "/", SAFE) + query


def _timed_by_the_kernel(sock: socket.socket, seconds: float) -> socket.socket:
    """`sock`, whose calls end after `seconds` in `BlockingIOError`. A timeout of Python's own would cost each of
    them a `poll`, and with that the interpreter's lock once more."""
    sock.settimeout(None)
    timeval = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, timeval)
    return sock


def _readable(response: Body) -> Response:
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding == "identity" or response.status != 200:
        return response
    if encoding not in DECODABLE:
        response.close()
        raise Refused(f"the body is encoded as {encoding!r}, although identity was asked for")
    return Decoded(response)
