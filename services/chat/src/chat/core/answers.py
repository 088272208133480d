"""The protocol, version 1: what the server sends. What clients send is in `core.protocol`.

One JSON object per WebSocket text message. Clients ignore a type, or a member, that they do not know."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from chat.core.protocol import VERSION

type Id = Annotated[int, msgspec.Meta(ge=0)]
type Seconds = Annotated[float, msgspec.Meta(ge=0)]
type Members[T] = tuple[T, ...]


def _type(name: str) -> str:
    """Of the class `CaughtUp`, say: `caught_up`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


class Sent(msgspec.Struct, frozen=True, tag_field="type", tag=_type, omit_defaults=True):
    """What they have in common."""


class Answer(Sent, frozen=True, kw_only=True):
    """`ref` is that of the request."""

    ref: str | None = None


class InRoom(Answer, frozen=True):
    """About a `room`."""

    room: str


class Known(msgspec.Struct, frozen=True, omit_defaults=True):
    """A room that one can see. The last five are of rooms one is a `member` of; `with` is the other one of a
    private conversation. `unread` and `mentions` count what others said after the id `read`, among the last
    hundred events: if there are `more`, they are lower bounds."""

    room: str
    topic: str
    private: bool
    member: bool
    read: Id | None = None
    unread: int | None = None
    mentions: int | None = None
    more: bool = False
    peer: str | None = msgspec.field(default=None, name="with")


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """A member of a room: `online`, `away` or `offline`, and then when it was last `seen`, in seconds since the
    epoch."""

    user: str
    state: str
    role: str
    seen: Seconds | None = None


class File(msgspec.Struct, frozen=True):
    """A shared file: GET /v1/files/{id}. `size` in bytes."""

    id: str
    name: str
    type: str
    size: int


class Welcome(Answer, frozen=True):
    """One is signed in. `heartbeat`: after how many seconds of silence the server asks. `rooms`: the first page of
    what a request for `rooms` lists."""

    v: int
    user: str
    admin: bool
    replica: str
    heartbeat: Seconds
    rooms: Members[Known]


class Joined(InRoom, frozen=True):
    """One is in a room, whose last event is `last`; what happened after the id `after` follows. `with` is the
    other one of a private conversation.

    If `last` is less than the last id one has, the room's log was lost, and began anew: what one has of it is
    forgotten, and the last page follows."""

    topic: str
    private: bool
    role: str
    last: Id
    after: Id
    peer: str | None = msgspec.field(default=None, name="with")


class CaughtUp(InRoom, frozen=True):
    """Everything up to `last` has been sent; what comes now is new. A room keeps its last 10,000 events: if what
    was asked for is older, the first that was sent is `kept_from`, and what came before it is gone."""

    last: Id
    kept_from: Id | None = None


class Left(InRoom, frozen=True):
    """One is not in a room any more; `why`, and `by` whom, unless one asked for it on this connection: `kick`,
    `ban`, `close`, or `leave` if one left it on another."""

    why: str | None = None
    by: str | None = None


class Ack(InRoom, frozen=True):
    """It is durable, and has the place `id` in the room's order."""

    id: Id
    nonce: str | None = None


class Done(InRoom, frozen=True):
    """A command was carried out; the room hears of it as the event `id`."""

    verb: str
    id: Id


class Created(InRoom, frozen=True):
    """There is a new room, and it is the asker's."""


class People(InRoom, frozen=True):
    """Members of a room, by name; whether there are `more` after the last of them."""

    people: Members[Person]
    more: bool = False


class Rooms(Answer, frozen=True):
    """Rooms that one can see, those one is in first; whether there are `more` after the last of them."""

    rooms: Members[Known]
    more: bool = False


class Error(Answer, frozen=True):
    """It was not done; `detail` is for people, `code` for programs."""

    code: str
    detail: str


class Closing(Sent, frozen=True):
    """The server ends the connection in a moment: come back after `retry_after` seconds."""

    retry_after: Seconds


class Notice(Sent, frozen=True):
    """Something is for one, whether one is in that room or not: a private `message`, a `mention`, or that one was
    `invited`. Nobody is made to enter a room: a client that is not in the conversation of a `message` joins it,
    after the last id that it has of it."""

    room: str
    who: str = msgspec.field(name="from")
    why: str
    id: Id | None = None


class Typing(Sent, frozen=True):
    """Somebody is writing; forget it after 6 s, or when they said it."""

    room: str
    user: str


class Presence(Sent, frozen=True):
    """Somebody is `online`, `away` or `offline` now; or has `left` the room, and is no member any more."""

    room: str
    user: str
    state: str
    at: Seconds


class Happened(Sent, frozen=True):
    """What has a place `id` in a room's order, without gaps but for what was deleted. `at`: seconds since the
    epoch."""

    room: str
    id: Id
    at: Seconds


class Message(Happened, frozen=True):
    """Something said. The same `nonce` of the same `user` is the same message; there is none if its client gave
    none."""

    user: str
    text: str
    nonce: str = ""
    mentions: Members[str] = ()
    file: File | None = None


class Edited(Happened, frozen=True):
    """What was said at `target` is now this."""

    user: str
    target: Id
    text: str


class Deleted(Happened, frozen=True):
    """What was said at `target` was taken back, and is forgotten."""

    user: str
    target: Id


class Change(Happened, frozen=True):
    """An administrator did something to the room, or to a `user` in it."""

    verb: str
    by: str
    user: str = ""
    text: str = ""
    seconds: Seconds = 0.0


class History(InRoom, frozen=True):
    """An older page, oldest first; whether there is `more` before it."""

    items: Members[Message | Edited | Deleted | Change]
    more: bool


EVENTS = (Message, Edited, Deleted, Change)
KINDS: Sequence[type[Sent]] = (
    Welcome, Joined, CaughtUp, Left, Ack, Done, Created, History, People, Rooms, Error, Closing, Notice, Typing,
    Presence, *EVENTS,
)  # fmt: skip


class _Head(msgspec.Struct, frozen=True):
    type: str


_head = msgspec.json.Decoder(_Head)
_decoder = msgspec.json.Decoder(Message | Edited | Deleted | Change)
_tags = {kind.__struct_config__.tag for kind in EVENTS}


def read(text: str) -> Message | Edited | Deleted | Change | None:
    """An event, as a room's log has it; None for a type that only newer replicas know."""
    return _decoder.decode(text) if _head.decode(text).type in _tags else None


def schema() -> dict[str, Any]:
    """The JSON schema of what the server sends."""
    _, definitions = msgspec.json.schema_components(KINDS, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What the server sends",
        "version": VERSION,
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS],
        "$defs": definitions,
    }
