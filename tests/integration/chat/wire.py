"""A client that speaks RFC 6455 by itself, so that it may also break it."""

import json
import os
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Wire:
    """A client that may do anything."""

    def __init__(self, url: str, buffer: int = 0, **headers: str) -> None:
        where = urlsplit(url)
        self.socket = socket.socket()
        self.socket.settimeout(10)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect((where.hostname, where.port))
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        usual = {"Host": where.netloc, "Upgrade": "websocket", "Connection": "Upgrade"}
        fields = {**usual, "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", **given}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        self.socket.sendall(f"GET / HTTP/1.1\r\n{head}\r\n".encode())
        self._rest = b""
        self.head = self._until(b"\r\n\r\n").decode()
        self.status = int(self.head.split()[1])

    def send(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True,
             size: int | None = None) -> None:  # fmt: skip
        claimed = len(payload) if size is None else size
        first = opcode | (0x80 if fin else 0) | rsv << 4
        flag = 0x80 if mask else 0
        if claimed < 126:
            head = struct.pack("!BB", first, flag | claimed)
        elif claimed < 65536:
            head = struct.pack("!BBH", first, flag | 126, claimed)
        else:
            head = struct.pack("!BBQ", first, flag | 127, claimed)
        key = os.urandom(4) if mask else b""
        body = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if mask else payload
        self.socket.sendall(head + key + body)

    def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. (-1, b"") when the connection has ended."""
        try:
            first, second = self._take(2)
            assert not second & 0x80, "a server must not mask"
            assert first & 0x70 == 0, "no extension was agreed"
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8))
            return first & 0x0F, self._take(size)
        except (EOFError, ConnectionError):
            return -1, b""

    def code(self) -> int:
        """The code of the close frame that comes next, text in between aside; the end of the connection
        follows."""
        opcode, payload = self.frame()
        while opcode in (TEXT, PONG):
            opcode, payload = self.frame()
        assert opcode == CLOSE, opcode
        assert self.frame() == (-1, b"")
        return int.from_bytes(payload[:2])

    def _take(self, count: int) -> bytes:
        while len(self._rest) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self._rest += more
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._rest += self.socket.recv(65536) or end
        found, _, self._rest = self._rest.partition(end)
        return found


def enter(replica: Any, name: str, room: str, **options: Any) -> Wire:
    """A raw client that has signed in, and is in a room."""
    opened = Wire(replica.websocket, **options)
    for request in ({"type": "hello", "token": replica.sign_in(name)}, {"type": "join", "room": room}):
        opened.send(TEXT, json.dumps(request).encode())
    while b"caught_up" not in opened.frame()[1]:
        pass
    return opened
