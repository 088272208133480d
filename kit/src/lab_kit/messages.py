"""The envelope of all that travels on a stream: `{"v", "id", "trace", "type", "time", ...body}` in JSON."""

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError


class BadMessage(ValueError):
    """What arrived is not a message, or not the one expected. Trying again will not help."""


class FileRef(BaseModel, frozen=True):
    """A file in transit: where to fetch it, its length in bytes, and its SHA-256 in hex."""

    url: str = Field(min_length=1)
    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Envelope(BaseModel, extra="allow", strict=True):
    v: Literal[1]
    id: str = Field(min_length=1)
    trace: str = Field(min_length=1)
    type: str = Field(min_length=1)
    time: float = Field(allow_inf_nan=False)


def _new_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Message:
    """Immutable by contract, body included. `trace` follows a cause everywhere; `time` is UNIX time in s."""

    type: str
    body: Mapping[str, Any] = field(default_factory=dict)
    trace: str = field(default_factory=_new_id)
    id: str = field(default_factory=_new_id)
    time: float = field(default_factory=time.time)
    v: Literal[1] = 1

    def encode(self) -> str:
        """RFC 8259 JSON; ValueError or TypeError when the body has no JSON or uses a name of the envelope."""
        envelope = {name: getattr(self, name) for name in _Envelope.model_fields}
        if taken := envelope.keys() & self.body.keys():
            raise ValueError(f"body of a {self.type!r} message: {sorted(taken)} are the envelope's names")
        return json.dumps(envelope | dict(self.body), allow_nan=False, separators=(",", ":"))

    @classmethod
    def decode(cls, raw: str | bytes) -> Self:
        """The message in `raw`; BadMessage says what is wrong with it."""
        try:
            got = _Envelope.model_validate_json(raw)
        except ValidationError as error:
            raise BadMessage(f"not a message: {_why(error)}") from None
        return cls(got.type, got.model_extra or {}, got.trace, got.id, got.time)

    def reply(self, type: str, body: Mapping[str, Any]) -> Self:
        """A message caused by this one: a new id, the same trace."""
        return self.__class__(type, body, self.trace)


def _why(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'text'}: {e['msg']}" for e in error.errors())


def read_body[M: BaseModel](message: Message, model: type[M]) -> M:
    """The body as a pydantic `model`; BadMessage names each field that does not fit."""
    try:
        return model.model_validate(message.body)
    except ValidationError as error:
        raise BadMessage(f"bad {message.type!r} message {message.id}: {_why(error)}") from None
