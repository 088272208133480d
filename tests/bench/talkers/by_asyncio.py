"""A room on a bare asyncio protocol: a handshake, frames as they come, what one turn of the loop has gathered
written to each client at once. No checks, no bounds, no ids: what a loop can do. Prints its port."""

import asyncio
import base64
import hashlib

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HERE: set[asyncio.Transport] = set()
TURN: list[bytes] = []


class Talker(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.rest, self.open = transport, b"", False

    def data_received(self, data: bytes) -> None:
        self.rest += data
        if not self.open and b"\r\n\r\n" in self.rest:
            self._shake_hands()
        at = 0
        while self.open and len(self.rest) >= at + 6:
            size, head = self.rest[at + 1] & 0x7F, 6
            if size == 126:
                size, head = int.from_bytes(self.rest[at + 2 : at + 4]), 8
            if len(self.rest) < at + head + size:
                break
            self._said(self.rest[at + head - 4 : at + head], self.rest[at + head : at + head + size])
            at += head + size
        self.rest = self.rest[at:]

    def connection_lost(self, error: Exception | None) -> None:
        HERE.discard(self.transport)

    def _shake_hands(self) -> None:
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        key = next(
            line[19:].strip() for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key: ")
        )
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self.open = True
        HERE.add(self.transport)

    def _said(self, mask: bytes, payload: bytes) -> None:
        size = len(payload)
        key = int.from_bytes((mask * (size // 4 + 1))[:size])
        text = (int.from_bytes(payload) ^ key).to_bytes(size)
        head = bytes((0x81, size)) if size < 126 else b"\x81\x7e" + size.to_bytes(2)
        if not TURN:
            asyncio.get_running_loop().call_soon(flush)
        TURN.append(head + text)


def flush() -> None:
    together = b"".join(TURN)
    TURN.clear()
    for transport in HERE:
        transport.write(together)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Talker, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
