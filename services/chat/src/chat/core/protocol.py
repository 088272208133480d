"""The protocol, version 1: what clients send. What the server sends is in `core.answers`.

One JSON object per WebSocket text message. A message whose type is unknown is ignored, so that newer clients
can talk to older servers; what is malformed is answered with an `error`. `ref`, if given, comes back in the
answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Union

import msgspec

from chat.contract import ChatError

__all__ = ["VERSION", "Malformed", "decode", "schema"]

VERSION = 1
MAX_TEXT, MAX_ROOMS, MAX_PAGE = 4000, 200, 200

type UserName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_-]{0,31}$")]
type RoomName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
type Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
type Line = Annotated[str, msgspec.Meta(max_length=200)]
type Id = Annotated[int, msgspec.Meta(ge=0)]
type Ref = Annotated[str, msgspec.Meta(max_length=64)]


class Malformed(ChatError):
    """What came is not a message of the protocol; the text says where."""

    code = "malformed"


class Message(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower, kw_only=True):
    """What they have in common."""

    ref: Ref | None = None


class Hello(Message, frozen=True):
    """The first message. `token` is from POST /v1/sign-in. Answered with `welcome`."""

    token: Annotated[str, msgspec.Meta(max_length=512)]
    v: int = VERSION


class Join(Message, frozen=True):
    """Enter a room; `@bob` is the private conversation with bob. What was said there after the id `after` comes
    before anything new; with null, the last page. Answered with `joined`, and `caught_up` when nothing is missing,
    or what is, is not kept any more. At most 200 rooms."""

    room: RoomName
    after: Id | None = None


class Leave(Message, frozen=True):
    """Leave a room for good, on all of one's connections. Answered with `left`; the others hear of it as
    `presence`."""

    room: RoomName


class Say(Message, frozen=True):
    """Say something in a room. Answered with `ack`: then it is durable, and has its place in the room's
    order. The same `nonce` again is the same message. `file` is an id from POST /v1/files."""

    room: RoomName
    text: Text
    nonce: Annotated[str, msgspec.Meta(max_length=64)] = ""
    file: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class Edit(Message, frozen=True):
    """Change what one has said."""

    room: RoomName
    id: Id
    text: Text


class Delete(Message, frozen=True):
    """Take back what one has said; moderators, what anybody has."""

    room: RoomName
    id: Id


class Typing(Message, frozen=True):
    """One is writing. Passed on at most once every 3 s; forgotten by readers after 6 s."""

    room: RoomName


class Away(Message, frozen=True):
    """One is here, but not looking; or looks again."""

    away: bool


class Read(Message, frozen=True):
    """One has seen everything up to this id."""

    room: RoomName
    id: Id


class History(Message, frozen=True):
    """An older page: at most `limit` events before the id `before`. Answered with `history`."""

    room: RoomName
    before: Id
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 50


class People(Message, frozen=True):
    """Who is in a room, and whether they are online: a page, by name, of those after the name `after`. Answered
    with `people`."""

    room: RoomName
    after: Annotated[str, msgspec.Meta(max_length=32)] = ""


class Rooms(Message, frozen=True):
    """The rooms one can see, with what is unread in those one is in: a page, of those after the room `after`.
    Those one is in come first. Answered with `rooms`."""

    after: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Create(Message, frozen=True):
    """Make a room; who makes it owns it. At most 50 that are not closed. Answered with `created`."""

    room: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9_-]{0,63}$")]
    topic: Line = ""
    private: bool = False


class Command(Message, frozen=True):
    """An administrator's command: topic, invite, kick, ban, unban, mute, unmute, slow, announce, role,
    close."""

    room: RoomName
    verb: Annotated[str, msgspec.Meta(max_length=16)]
    user: UserName | None = None
    text: Line = ""
    seconds: Annotated[float, msgspec.Meta(ge=0, le=31_536_000)] = 0.0


KINDS: Sequence[type[Message]] = (
    Hello, Join, Leave, Say, Edit, Delete, Typing, Away, Read, History, People, Rooms, Create, Command,
)  # fmt: skip


class _Head(msgspec.Struct, frozen=True):
    type: str


_head = msgspec.json.Decoder(_Head)
_names = {kind.__name__.lower() for kind in KINDS}
_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Union[*KINDS])


def decode(raw: bytes) -> Message | None:
    """The message in `raw`; None for a type that is not known here. Raises `Malformed`."""
    try:
        return _message.decode(raw)
    except msgspec.MsgspecError as error:
        if _is_of_unknown_type(raw):
            return None
        raise Malformed(f"not a message of version {VERSION}: {error}") from None
    except RecursionError:
        raise Malformed("not a message: nested too deeply") from None


def _is_of_unknown_type(raw: bytes) -> bool:
    try:
        return _head.decode(raw).type not in _names
    except msgspec.MsgspecError:
        return False


def schema() -> dict[str, Any]:
    """The JSON schema of what clients send."""
    _, definitions = msgspec.json.schema_components(KINDS, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What clients send",
        "version": VERSION,
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS],
        "$defs": definitions,
    }
