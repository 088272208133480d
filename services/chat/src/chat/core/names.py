"""Names of users and rooms, private rooms of two, and who is mentioned."""

import re

__all__ = ["SERVICE", "dm_of", "is_dm", "is_room_name", "is_user_name", "mentions", "peer_in"]

_USER = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_ROOM = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_MENTION = re.compile(r"(?<![\w@])@([a-z][a-z0-9_-]{0,31})")
MOST_MENTIONS = 20
SERVICE = frozenset({"log-pipeline", "probe"})  # who speaks for the service: nobody signs in as one of them


def is_user_name(name: str) -> bool:
    return _USER.fullmatch(name) is not None


def is_room_name(name: str) -> bool:
    return _ROOM.fullmatch(name) is not None


def dm_of(one: str, other: str) -> str:
    """The private room of two; a room that somebody makes cannot have such a name."""
    return "+".join(sorted((one, other)))


def is_dm(room: str) -> bool:
    """Whether it is the private room of two, and not only looks like one."""
    one, plus, other = room.partition("+")
    return bool(plus) and is_user_name(one) and is_user_name(other) and one <= other


def peer_in(room: str, user: str) -> str | None:
    """The other one in the private room `room`; None if `user` is not of it, or it is no such room."""
    one, plus, other = room.partition("+")
    if plus and user == one:
        return other
    return one if user == other else None


def mentions(text: str) -> list[str]:
    """Whom a text mentions with @name, each once, at most 20."""
    return list(dict.fromkeys(_MENTION.findall(text)))[:MOST_MENTIONS]
