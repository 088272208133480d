"""What an answer is an answer to."""

import msgspec

from chat.core.protocol import Message, Ref, Say

__all__ = ["ref_in", "ref_of"]


class _Given(msgspec.Struct, frozen=True):
    ref: Ref | None = None


class _Named(msgspec.Struct, frozen=True):
    nonce: Ref = ""


_kinds = msgspec.json.Decoder(_Given), msgspec.json.Decoder(_Named)


def ref_of(request: Message) -> str | None:
    """What a refusal of `request` carries: its `ref`, or of something said without one, its `nonce`. So whoever
    has several messages on their way knows which of them was refused."""
    return request.ref or (request.nonce if isinstance(request, Say) else "") or None


def ref_in(raw: bytes) -> str | None:
    """The same of what is malformed, as far as it can be read."""
    for kind in _kinds:
        try:
            given = kind.decode(raw)
        except (msgspec.MsgspecError, RecursionError):
            continue
        if found := given.ref if isinstance(given, _Given) else given.nonce:
            return found
    return None
