"""What happens in a room, as the JSON that clients get. Everything but the id is known before it has its
place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Event", "changed", "complete", "deleted", "edited", "is_message", "message", "parts"]


@dataclass(frozen=True, slots=True)
class Event:
    """`tail` is the JSON object without its first member, the id. The same `nonce` of the same `user` is the
    same event. `erases`: the id of the event that shall be forgotten with this one."""

    room: str
    user: str
    nonce: str
    tail: str
    erases: int = 0
    born: float = 0.0


def complete(id: int, tail: str) -> str:
    """The whole JSON object, now that it has its id."""
    return f'{{"id":{id},{tail}'


def parts(text: str) -> dict[str, Any]:
    """An event, read."""
    found: dict[str, Any] = json.loads(text)
    return found


def is_message(text: str) -> bool:
    """Whether an event is something that was said, without reading all of it."""
    return text.startswith('"type":"message"', text.find(",") + 1)


def message(
    room: str,
    user: str,
    nonce: str,
    at: float,
    text: str,
    *,
    mentions: Sequence[str] = (),
    file: dict[str, Any] | None = None,
    born: float = 0.0,
) -> Event:
    """Something said."""
    more: dict[str, Any] = {"mentions": list(mentions)} if mentions else {}
    more |= {"file": file} if file else {}
    return _event(room, user, nonce, born, type="message", user=user, at=at, text=text, nonce=nonce, **more)


def edited(room: str, user: str, nonce: str, at: float, target: int, text: str) -> Event:
    """What was said is now this."""
    return _event(room, user, nonce, 0.0, type="edited", user=user, at=at, target=target, text=text)


def deleted(room: str, user: str, nonce: str, at: float, target: int) -> Event:
    """What was said is taken back, and forgotten."""
    event = _event(room, user, nonce, 0.0, type="deleted", user=user, at=at, target=target)
    return Event(event.room, event.user, event.nonce, event.tail, erases=target)


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
    body = {"user": user, "text": text, "seconds": seconds}
    more = {name: value for name, value in body.items() if value}
    return _event(room, by, nonce, 0.0, type="change", verb=verb, by=by, at=at, **more)


def _event(place: str, who: str, key: str, since: float, **body: Any) -> Event:
    body["room"] = place
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Event(place, who, key, text[1:], born=since)
