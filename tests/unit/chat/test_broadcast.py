"""The same bytes to many sockets: none are lost or overtake others, whatever becomes of one of the connections."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chat.adapters.audiences import NOWHERE, Audiences
from chat.adapters.connection import WebSocket
from chat.contract import Batch
from chat.metrics import WireMetrics
from lab_kit.metrics import Metrics

SHAKE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Nobody:
    """A handler that does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


async def connected(metrics: WireMetrics, audiences: Audiences) -> tuple[WebSocket, socket.socket]:
    """A connection that is open, and the client's end of it."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    nobody: Any = Nobody()
    _, connection = await loop.connect_accepted_socket(
        lambda: WebSocket(nobody, metrics, audiences, lambda request: "", 1 << 16), ours
    )
    await loop.sock_sendall(theirs, SHAKE)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += await loop.sock_recv(theirs, 4096)
    return connection, theirs


async def read(end: socket.socket, size: int) -> bytes:
    """Exactly so much."""
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < size:
        found += await loop.sock_recv(end, size - len(found))
    return found


@pytest.mark.parametrize("kind", [tuple, list])
def test_who_reads_nothing_and_who_is_gone_change_nothing_for_the_others(
    kind: Callable[[list[WebSocket]], Sequence[WebSocket]],
) -> None:
    """A tuple is remembered with the descriptors of its members, a list is not."""
    metrics = WireMetrics(Metrics("chat"), lambda: "reference")
    audiences = Audiences(metrics)
    batches = [Batch(bytes([number]) * 40_000, 2, 0.0) for number in range(30)]

    async def work() -> list[bytes]:
        (first, one), (stuck, slow), (left, gone), (last, other) = [
            await connected(metrics, audiences) for _ in range(4)
        ]
        everybody = kind([first, stuck, left, last])
        left.close(1000, "enough")
        reached, heard, more = set(), b"", b""
        for batch in batches:
            reached.add(audiences.broadcast(everybody, batch))
            heard += await read(one, len(batch.data))
            more += await read(other, len(batch.data))
        assert reached == {3}
        assert (stuck.blocked, stuck.direct) == (True, NOWHERE)
        assert audiences.blocked == {stuck}
        late = await read(slow, len(heard))
        assert not stuck.blocked
        assert not audiences.congested()
        for end in (one, slow, gone, other):
            end.close()
        return [heard, more, late]

    assert asyncio.run(work()) == [b"".join(batch.data for batch in batches)] * 3
    assert (metrics.frames, metrics.bytes) == (3 * 30 * 2, 3 * 30 * 40_000)
