"""WebSocket frames that a server sends (RFC 6455, 5.2): not masked, not compressed, whole."""

from collections.abc import Sequence

import msgspec

from chat.contract import Batch, Frame, Kind
from chat.core.answers import Answer, Error, Sent

__all__ = ["batch", "frame", "of", "text_frame"]

TEXT, BYTE, SHORT = 0x81, 126, 65536
LARGEST = 2**20  # what most clients take, `websockets` among them, unless they are told otherwise


def text_frame(payload: bytes) -> bytes:
    """The one frame of a text message; `payload` is UTF-8."""
    size = len(payload)
    if size < BYTE:
        return bytes((TEXT, size)) + payload
    if size < SHORT:
        return bytes((TEXT, 126)) + size.to_bytes(2) + payload
    return bytes((TEXT, 127)) + size.to_bytes(8) + payload


def frame(payload: bytes, kind: Kind = Kind.MESSAGE, key: str = "", born: float = 0.0) -> Frame:
    """`payload`, which is JSON, for any number of clients."""
    return Frame(text_frame(payload), kind, key, born)


def of(message: Sent) -> Frame:
    """A message of the server's own; an error instead of an answer that clients may refuse for its size."""
    payload = msgspec.json.encode(message)
    if len(payload) > LARGEST and isinstance(message, Answer):
        why = f"the answer would be {len(payload):,} bytes long, and {LARGEST:,} is the most"
        payload = msgspec.json.encode(Error(code="too_large", detail=why, ref=message.ref))
    return frame(payload)


def batch(frames: Sequence[Frame]) -> Batch:
    """Frames in a row as one write. One is not copied."""
    if len(frames) == 1:
        (one,) = frames
        return Batch(one.data, 1, one.born)
    return Batch(
        b"".join([one.data for one in frames]),
        len(frames),
        min([one.born for one in frames if one.born], default=0.0),
    )
