"""A WebSocket on an asyncio protocol: handshake, parsing and conformance are `websockets`', the sending is
ours."""

import asyncio
import codecs
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from chat.adapters.audiences import NOWHERE, Audiences
from chat.contract import Batch, Gone
from chat.metrics import WireMetrics

__all__ = ["Handler", "Refusal", "WebSocket"]

CLOSE_SECONDS, HANDSHAKE_SECONDS = 3.0, 10.0
UNSUPPORTED, INVALID_TEXT = 1003, 1007
MOST_FRAGMENTS = 1024  # empty ones have no size that could be limited
MOST_CONTROL = 256 * 1024  # as much as waits for a client in the hub: thousands of pongs it does not read
quiet = logging.getLogger(f"{__name__}.wire")  # the library tells of each connection twice
quiet.setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a handshake that leads to nothing; `retry_after` in seconds, if it may later."""

    text: str
    status: int = 403
    retry_after: int | None = None


class Handler(Protocol):
    """What becomes of connections. Every method is called on the loop, returns at once, and does not raise."""

    def opened(self, connection: "WebSocket") -> None: ...
    def received(self, connection: "WebSocket", text: bytes) -> None:
        """A whole text message, in valid UTF-8."""

    def heard(self, connection: "WebSocket") -> None: ...
    def writable(self, connection: "WebSocket") -> None: ...
    def closed(self, connection: "WebSocket") -> None:
        """Once, for each that was opened."""


class WebSocket(asyncio.Protocol):
    """One client; see `contract.Connection`. `session` is the handler's.

    No permessage-deflate: it would cost a compression for each client and message, and its windows more memory
    than everything else a connection has (RFC 7692, 7.2).

    It is `blocked` from the first byte that the kernel does not take until the transport has got rid of all of
    them. While it is not, the transport holds nothing, so bytes go to the socket directly, at half the cost:
    `direct` is its file descriptor then, and otherwise `NOWHERE`.

    Who sends pings and does not read the pongs is ended by force when `MOST_CONTROL` bytes of them wait: a close
    frame would wait behind them.
    """

    def __init__(
        self,
        handler: Handler,
        metrics: WireMetrics,
        audiences: Audiences,
        refuse: Callable[[Request], Refusal | None],
        max_size: int,
    ) -> None:
        self.user, self.blocked, self.stalled, self.direct = "", False, False, NOWHERE
        self.session: Any = None
        self._handler, self._metrics, self._audiences, self._refuse = handler, metrics, audiences, refuse
        self._protocol = ServerProtocol(max_size=max_size, logger=quiet)
        self._fragments: list[bytes] = []
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._free: asyncio.Event | None = None
        self._open = self._full = False
        self._control = 0
        self._end: asyncio.TimerHandle | None = None

    @property
    def held(self) -> int:
        """Bytes that the network has not taken yet."""
        return self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(0)
        self._number = transport.get_extra_info("socket").fileno()
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.call_later(HANDSHAKE_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        if self._open:
            self._handler.heard(self)
        self._react()

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._react()

    def connection_lost(self, error: Exception | None) -> None:
        if self._end:
            self._end.cancel()
        self._closed()

    def pause_writing(self) -> None:
        self._full = True
        self._aim()

    def resume_writing(self) -> None:
        self._full, self._control = False, 0
        self.stall(self.stalled)

    def stall(self, stalled: bool) -> None:
        """Take nothing more from the hub, as if the client read nothing; or take it again."""
        self.stalled = stalled
        self._aim()
        if not self.blocked:
            self._wake()
            if self._open:
                self._handler.writable(self)

    def write(self, batch: Batch) -> None:
        if not self._open:
            raise Gone("this connection is closed")
        try:
            sent = os.write(self.direct, batch.data)
        except OSError:
            sent = 0
        if sent < len(batch.data):
            self.leave(batch.data[sent:])
        self._metrics.wrote(batch, 1)

    def leave(self, rest: bytes) -> bool:
        """To the transport what the socket did not take, or could not because the transport holds something
        already, or for a reason that it finds out; False if the connection is closed."""
        if self._open:
            self._transport.write(rest)
        return self._open

    def ping(self) -> None:
        if not self._open:
            raise Gone("this connection is closed")
        self._protocol.send_ping(b"")
        self._send()

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, after what the transport still holds; by force after `CLOSE_SECONDS`."""
        if not self._open:
            return
        self._metrics.closed(code)
        self._protocol.send_close(code, reason)
        self._send()
        self._closed()

    async def drain(self) -> None:
        while self.blocked and self._open:
            self._free = self._free or asyncio.Event()
            await self._free.wait()
        if not self._open:
            raise Gone("this connection is closed")

    def pause(self) -> None:
        """Read no more for now."""
        if self._open:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._open:
            self._transport.resume_reading()

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._shake_hands(event)
            elif self._open:
                self._take(cast(WireFrame, event))
        self._send()
        if self._open and self._protocol.state is not State.OPEN:
            self._closed()

    def _shake_hands(self, request: Request) -> None:
        refused = self._refuse(request)
        self._protocol.send_response(self._rejected(refused) if refused else self._protocol.accept(request))
        self._send()
        if self._protocol.state is State.OPEN:
            self._open = True
            self._aim()
            if self._end:
                self._end.cancel()
            self._handler.opened(self)

    def _rejected(self, refused: Refusal) -> Response:
        response = self._protocol.reject(refused.status, refused.text)
        if refused.retry_after is not None:
            response.headers["Retry-After"] = str(refused.retry_after)
        return response

    def _take(self, frame: WireFrame) -> None:
        """A message may come in fragments, with control frames between them (RFC 6455, 5.4)."""
        if frame.opcode is Opcode.BINARY:
            return self._fail(UNSUPPORTED, "this protocol is text")
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return None
        try:
            self._utf8.decode(frame.data, frame.fin)
        except UnicodeDecodeError as error:
            return self._fail(INVALID_TEXT, f"not UTF-8: {error.reason}")
        if frame.fin and not self._fragments:
            return self._whole(bytes(frame.data))
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > MOST_FRAGMENTS:
            return self._fail(1008, f"more than {MOST_FRAGMENTS} fragments")
        if frame.fin:
            whole, self._fragments = b"".join(self._fragments), []
            self._whole(whole)
        return None

    def _whole(self, text: bytes) -> None:
        self._metrics.received(len(text))
        self._handler.received(self, text)

    def _fail(self, code: int, reason: str) -> None:
        self._metrics.closed(code)
        self._protocol.fail(code, reason)

    def _send(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
                self._control += len(data) if self._full else 0
            elif self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()
        if self._control > MOST_CONTROL and not self._transport.is_closing():
            self._metrics.closed(1008)
            self._transport.abort()
        elif self._protocol.close_expected():
            self._end_soon()

    def _end_soon(self) -> None:
        if self._end:
            self._end.cancel()
        self._end = self._loop.call_later(CLOSE_SECONDS, self._transport.abort)

    def _closed(self) -> None:
        """Nothing is read or written any more, though the close frame may still be on its way."""
        if self._open:
            self._open = False
            self._aim()
            self._wake()
            self._handler.closed(self)

    def _aim(self) -> None:
        """Where bytes may go follows from what this connection is now; whoever writes to many hears of it."""
        self.blocked = self.stalled or self._full
        self.direct = self._number if self._open and not self._full else NOWHERE
        self._audiences.changed()
        if self.blocked and self._open:
            self._audiences.blocked.add(self)
        else:
            self._audiences.blocked.discard(self)

    def _wake(self) -> None:
        if self._free:
            self._free.set()
            self._free = None
