"""The way out for bodies: raw bytes on the response's own connection, beside aiohttp's bookkeeping.

So a file leaves the kernel without being copied, and a server can lie about what it sends.
"""

import asyncio
import os
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from aiohttp import web

from lab.origin.answers import Answer, Manner, Representation

_AT_ONCE = 1 << 20
_BLOCK = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class Wire:
    """One connection while a body is sent on it. `sent` is told the bytes that the kernel has taken.

    Holds a duplicate of the socket, as event loops keep theirs to themselves: the connection is not
    gone before `close`, whatever happens to the transport.
    """

    def __init__(self, transport: asyncio.Transport, sent: Callable[[float], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._sent = sent
        self._socket = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        self._socket.setblocking(False)

    async def flush(self) -> None:
        """Wait until the transport has nothing left to send: only then may others send on its socket."""
        await asyncio.sleep(0)
        while self._transport.get_write_buffer_size():
            if self._transport.is_closing():
                raise ConnectionResetError("the client has left")
            await self._writable()
            await asyncio.sleep(0)

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        view = memoryview(data)
        while view:
            view = view[await self._try(partial(self._socket.send, view)) :]

    async def send_file(self, fd: int, pieces: Iterator[tuple[int, int]]) -> None:
        """Send (offset, count) pieces of a file without copying them (sendfile(2)).

        Lets others run after each MiB, however fast the client is.
        """
        out = self._socket.fileno()
        for start, count in pieces:
            at, end = start, start + count
            while at < end:
                at += await self._try(partial(os.sendfile, out, fd, at, min(end - at, _AT_ONCE)))
                await asyncio.sleep(0)

    def reset(self) -> None:
        """Break the connection: the client gets ECONNRESET, not an end of file."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def hang_up(self) -> None:
        """End the connection in the regular way."""
        self._transport.close()

    def close(self) -> None:
        self._socket.close()

    async def _try(self, send: Callable[[], int]) -> int:
        while True:
            try:
                count = send()
            except BlockingIOError:
                await self._writable()
            else:
                self._sent(count)
                return count

    async def _writable(self) -> None:
        ready = self._loop.create_future()
        fd = self._socket.fileno()
        self._loop.add_writer(fd, _settle, ready)
        try:
            await ready
        finally:
            self._loop.remove_writer(fd)


def _settle(ready: asyncio.Future[None]) -> None:
    """A loop may report readiness again before the waiting task has run."""
    if not ready.done():
        ready.set_result(None)


@contextmanager
def wire_of(request: web.Request, sent: Callable[[float], object]) -> Iterator[Wire]:
    """The wire of a request whose response headers are written."""
    if request.transport is None or request.transport.is_closing():
        raise ConnectionResetError("the client has left")
    wire = Wire(request.transport, sent)
    try:
        yield wire
    finally:
        wire.close()


async def send_body(wire: Wire, answer: Answer, thing: Representation) -> None:
    """Send the answer's body in its manner, and end the connection if that is part of it."""
    manner = answer.manner
    await wire.flush()
    if manner.stall:
        await asyncio.Event().wait()
    stop = answer.stop if manner.cut is None else answer.start + manner.cut
    if manner.raw and thing.file:
        await wire.send_file(thing.file.descriptor, thing.file.pieces(answer.start, stop))
    else:
        await _send_blocks(wire, manner, thing, answer.start, stop)
    if manner.cut is not None:
        wire.reset()
    elif manner.lie or manner.framing == "close":
        wire.hang_up()


async def _send_blocks(wire: Wire, manner: Manner, thing: Representation, start: int, stop: int) -> None:
    encode = _encoder(manner)
    began, block = time.monotonic(), _block(manner)
    for at in range(start, stop, block):
        end = min(at + block, stop)
        await wire.send(encode(thing.read(at, end), False))
        due = began + (end - start) / manner.rate if manner.rate else 0.0
        await asyncio.sleep(max(manner.gap, due - time.monotonic(), 0))
    if manner.cut is None:
        await wire.send(encode(b"", True))


def _block(manner: Manner) -> int:
    """Return how many bytes to send at a time: single ones, or about twenty blocks a second."""
    if manner.gap:
        return 1
    return max(1, min(_BLOCK, int(manner.rate / 20))) if manner.rate else _BLOCK


def _encoder(manner: Manner) -> Callable[[bytes, bool], bytes]:
    """Return what turns (data, whether it is the end) into the bytes for the connection."""
    packer = zlib.compressobj(1, wbits=31) if manner.gzip else None

    def encode(data: bytes, last: bool) -> bytes:
        if packer:
            data = packer.compress(data) + (packer.flush() if last else b"")
        if manner.framing != "chunked":
            return data
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return chunk + (b"0\r\n\r\n" if last else b"")

    return encode
