"""What happens in a room, as the JSON that clients get. Everything but the id is known before it has its
place."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from chat.core.answers import Change, Deleted, Edited, File, Happened, Message

__all__ = [
    "Event",
    "changed",
    "complete",
    "deleted",
    "edited",
    "is_deletion",
    "is_edit_of",
    "is_message",
    "message",
]

PLACE = '"id":0,'  # of the id that is not known yet; in a text, its quotes would be escaped


@dataclass(frozen=True, slots=True)
class Event:
    """`tail` is the JSON object without its first member, the id. The same `nonce` of the same `user` is the
    same event. `target`: the id of the message that is edited, or is forgotten with all its edits; without that
    message there is no event. `pause`: for how many milliseconds the same user may not have spoken with a pause in
    that room, or else there is none."""

    room: str
    user: str
    nonce: str
    tail: str
    target: int = 0
    born: float = 0.0
    pause: int = 0


def complete(id: int, tail: str) -> str:
    """The whole JSON object, now that it has its id."""
    return f'{{"id":{id},{tail}'


def is_message(text: str) -> bool:
    """Whether an event is something that was said, without reading all of it."""
    return text.startswith('"type":"message"', text.find(",") + 1)


def is_deletion(tail: str) -> bool:
    """Whether an event that has no id yet takes back its target."""
    return tail.startswith('"type":"deleted"')


def is_edit_of(text: bytes, target: int) -> bool:
    """Whether an event is an edit of the message `target`; of a frame, whether there is one in it."""
    return b'"type":"edited"' in text and b'"target":%d,' % target in text


def message(
    room: str,
    user: str,
    nonce: str,
    at: float,
    text: str,
    *,
    mentions: Sequence[str] = (),
    file: File | None = None,
    born: float = 0.0,
    key: str = "",
    pause: int = 0,
) -> Event:
    """Something said. `key`: what makes it one event, if not the `nonce` of its client."""
    said = Message(
        room=room, id=0, at=at, user=user, text=text, nonce=nonce, mentions=tuple(mentions), file=file
    )
    return Event(room, user, key or nonce, _tail(said), born=born, pause=pause)


def edited(room: str, user: str, nonce: str, at: float, target: int, text: str) -> Event:
    """What was said is now this."""
    tail = _tail(Edited(room=room, id=0, at=at, user=user, target=target, text=text))
    return Event(room, user, nonce, tail, target)


def deleted(room: str, user: str, nonce: str, at: float, target: int) -> Event:
    """What was said is taken back, and forgotten, whatever it was edited to."""
    tail = _tail(Deleted(room=room, id=0, at=at, user=user, target=target))
    return Event(room, user, nonce, tail, target)


def changed(
    room: str,
    by: str,
    nonce: str,
    at: float,
    verb: str,
    *,
    user: str = "",
    text: str = "",
    seconds: float = 0.0,
) -> Event:
    """An administrator has done something to the room, or to somebody in it."""
    change = Change(room=room, id=0, at=at, verb=verb, by=by, user=user, text=text, seconds=seconds)
    return Event(room, by, nonce, _tail(change))


def _tail(happened: Happened) -> str:
    return msgspec.json.encode(happened).decode().replace(PLACE, "", 1)[1:]
