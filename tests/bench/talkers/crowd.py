"""Two hundred clients on raw sockets in one process: one of them talks, all are counted.

`python crowd.py PORT JSON` prints a line when all are there. Then each line of its input, a window and how many
messages, is answered with seconds. A window of w: the talker keeps w messages in flight, and says the next when it
has heard one of its own. After that, some of the others count what a few such turns have brought them, without a
poll for each, so that their core is not what limits the server. The clock stops when everybody has every byte."""

import base64
import itertools
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence

BUFFER, PATIENCE = bytearray(1 << 20), 10.0
GATHERED = 4  # fewer than a server's kernel sends before the first is acknowledged, 10 (RFC 6928)


class Wire:
    """A client that counts bytes."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(65536)
        self.rest = self.rest.partition(b"\r\n\r\n")[2]
        self.bytes = 0

    def take(self) -> int:
        """Count what is here, and forget it; how many bytes that was."""
        try:
            count = self.socket.recv_into(BUFFER)
        except BlockingIOError:
            return 0
        except TimeoutError:
            raise SystemExit(f"nothing came for {PATIENCE:g} s") from None
        if not count:
            raise SystemExit("the service ended a connection")
        self.bytes += count
        return count

    def send(self, text: str) -> None:
        self.socket.sendall(masked(text.encode()))

    def frames(self) -> list[bytes]:
        """The payloads of the frames that are here, whole."""
        found, data, at = [], self.rest, 0
        while len(data) - at >= 2:
            size, head = data[at + 1] & 0x7F, 2
            if size == 126:
                if len(data) - at < 4:
                    break
                size, head = struct.unpack_from("!H", data, at + 2)[0], 4
            elif size == 127:
                if len(data) - at < 10:
                    break
                size, head = struct.unpack_from("!Q", data, at + 2)[0], 10
            if len(data) - at < head + size:
                break
            found.append(data[at + head : at + head + size])
            at += head + size
        self.rest = data[at:]
        return found

    def wait_for(self, word: bytes) -> bytes:
        """Read until a frame has `word` in it."""
        while True:
            for payload in self.frames():
                if word in payload:
                    return payload
            more = self.socket.recv(65536)
            if not more:
                raise SystemExit(f"the service ended the connection while {word!r} was waited for")
            self.rest += more


def masked(payload: bytes) -> bytes:
    """A frame with a mask of zeros, which costs the client nothing and the server as much as any other."""
    head = (
        bytes((0x81, 0x80 | len(payload)))
        if len(payload) < 126
        else struct.pack("!BBH", 0x81, 0x80 | 126, len(payload))
    )
    return head + bytes(4) + payload


def run(wires: Sequence[Wire], frame: bytes, own: bytes, window: int, messages: int) -> float:
    """Seconds until `messages` were heard by all."""
    talker, *others = wires
    for wire in wires:
        wire.socket.settimeout(PATIENCE if wire is talker else 0.0)
        wire.bytes = 0
    heard, said, size = 0, min(window, messages), 0
    began = time.perf_counter()
    talker.socket.sendall(frame * said)
    for turn in itertools.count():
        if heard >= messages:
            break
        count = talker.take()
        talker.rest += BUFFER[:count]
        mine = [payload for payload in talker.frames() if own in payload]
        heard += len(mine)
        size += sum(len(payload) + (2 if len(payload) < 126 else 4) for payload in mine)
        more = min(len(mine), messages - said)
        if more:
            talker.socket.sendall(frame * more)
            said += more
        for wire in others[turn % GATHERED :: GATHERED]:
            wire.take()
    for wire in others:
        wire.socket.settimeout(PATIENCE)
        while wire.bytes < size:
            wire.take()
    return time.perf_counter() - began


def main() -> None:
    port, options = int(sys.argv[1]), json.loads(sys.argv[2])
    wires = [Wire(port, options["path"]) for _ in range(options["clients"])]
    for number, wire in enumerate(wires):
        for text, word in options["greeting"]:
            if text:
                wire.send(text.replace("TOKEN", (options["tokens"] or [""] * (number + 1))[number]))
            wire.wait_for(word.encode())
    time.sleep(0.5)
    for wire in wires:  # what came of the others' arrival
        wire.socket.setblocking(False)
        try:
            while wire.socket.recv_into(BUFFER):
                pass
        except BlockingIOError:
            wire.socket.setblocking(True)
        wire.rest = b""
    frame, own = masked(options["message"].encode()), options["own"].encode()
    print("here", flush=True)
    for line in sys.stdin:
        window, messages = map(int, line.split())
        print(run(wires, frame, own, window, messages), flush=True)


if __name__ == "__main__":
    main()
