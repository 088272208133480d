"""What a room is, who may do what in it, and what an administrator's command makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from chat.contract import ChatError
from chat.core.limits import MOST_SLOW
from chat.core.names import dm_of, is_dm, is_user_name, peer_in

__all__ = ["Command", "Forbidden", "Role", "Room", "Verb", "canonical", "command"]


class Forbidden(ChatError):
    """Who asked may not do that; nothing changed."""

    code = "forbidden"


class Role(StrEnum):
    """From the least to the most powerful."""

    MEMBER = "member"
    MODERATOR = "moderator"
    OWNER = "owner"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)


class Verb(StrEnum):
    """What can be done to a room, or to somebody in it."""

    TOPIC = "topic"
    INVITE = "invite"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    MUTE = "mute"
    UNMUTE = "unmute"
    SLOW = "slow"
    ANNOUNCE = "announce"
    ROLE = "role"
    CLOSE = "close"


NEEDS = {Verb.CLOSE: Role.OWNER, Verb.ROLE: Role.OWNER, Verb.INVITE: Role.MEMBER}
ABOUT_SOMEBODY = {Verb.INVITE, Verb.KICK, Verb.BAN, Verb.UNBAN, Verb.MUTE, Verb.UNMUTE, Verb.ROLE}
FOR_A_WHILE = {Verb.BAN, Verb.MUTE}
AGAINST = {Verb.KICK, Verb.BAN, Verb.MUTE, Verb.ROLE}


@dataclass(frozen=True, slots=True)
class Room:
    """One moment of a room. `banned` and `muted`: until when, in seconds since the epoch; `slow`: seconds
    between two messages of one member."""

    name: str
    topic: str = ""
    private: bool = False
    closed: bool = False
    slow: float = 0.0
    roles: Mapping[str, Role] = field(default_factory=dict)
    banned: Mapping[str, float] = field(default_factory=dict)
    muted: Mapping[str, float] = field(default_factory=dict)
    invited: frozenset[str] = frozenset()

    def role(self, user: str, *, admin: bool = False) -> Role:
        return Role.ADMIN if admin else Role(self.roles.get(user, Role.MEMBER))

    def require_entry(self, user: str, now: float, *, admin: bool = False) -> None:
        """Raise `Forbidden` unless `user` may be in here. No ban holds against an administrator of the service."""
        if is_dm(self.name):
            if peer_in(self.name, user) is None:
                raise Forbidden("that is a private conversation of two others")
            return
        if self.closed:
            raise Forbidden(f"{self.name} is closed")
        if not admin and self.banned.get(user, 0.0) > now:
            raise Forbidden(f"you are banned from {self.name} for another {self.banned[user] - now:.0f} s")
        if self.private and not admin and user not in self.roles and user not in self.invited:
            raise Forbidden(f"{self.name} is private: ask one of its members for an invitation")

    def require_voice(self, user: str, now: float, *, admin: bool = False) -> None:
        """Raise `Forbidden` unless `user` may speak here."""
        self.require_entry(user, now, admin=admin)
        if not admin and self.muted.get(user, 0.0) > now:
            raise Forbidden(f"you are muted in {self.name} for another {self.muted[user] - now:.0f} s")

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "topic": self.topic,
            "private": self.private,
            "closed": self.closed,
            "slow": self.slow,
            "roles": dict(self.roles),
            "banned": dict(self.banned),
            "muted": dict(self.muted),
            "invited": sorted(self.invited),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        roles = {user: Role(role) for user, role in given["roles"].items()}
        return cls(**{**given, "roles": roles, "invited": frozenset(given["invited"])})


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for; what a verb does not need is ignored."""

    verb: Verb
    user: str = ""
    text: str = ""
    seconds: float = 0.0


def canonical(user: str, room: str) -> str:
    """The name of a room; `@ann` is the private conversation with ann. Raises `Forbidden`."""
    if not room.startswith("@"):
        return room
    if not is_user_name(room[1:]) or room[1:] == user:
        raise Forbidden(f"{room!r} is nobody one could talk to in private")
    return dm_of(user, room[1:])


def command(
    room: Room, by: str, asked: Command, now: float, *, admin: bool = False, against_admin: bool = False
) -> Room:
    """The room after `by` has done what was asked; `against_admin`: to an administrator of the service. Raises
    `Forbidden`, and then nothing has changed: so for who may not be in the room."""
    verb, mine = asked.verb, room.role(by, admin=admin)
    if is_dm(room.name):
        raise Forbidden("a private conversation has no administrators")
    room.require_entry(by, now, admin=admin)
    if mine.rank < NEEDS.get(verb, Role.MODERATOR).rank:
        raise Forbidden(f"to {verb} in {room.name} takes the role {NEEDS.get(verb, Role.MODERATOR)}")
    if verb in ABOUT_SOMEBODY and not asked.user:
        raise Forbidden(f"{verb} needs the name of a user")
    if verb in FOR_A_WHILE and not asked.seconds:
        raise Forbidden(f"{verb} needs to know for how many seconds")
    if verb in AGAINST and room.role(asked.user, admin=against_admin).rank >= mine.rank:
        raise Forbidden(f"{asked.user} has as high a role as you")
    return _changed(room, mine, asked, now)


def _changed(room: Room, mine: Role, asked: Command, now: float) -> Room:
    user, until = asked.user, now + asked.seconds
    match asked.verb:
        case Verb.INVITE:
            return replace(room, invited=room.invited | {user})
        case Verb.KICK:
            return replace(room, invited=room.invited - {user})
        case Verb.BAN:
            return replace(room, banned={**room.banned, user: until}, invited=room.invited - {user})
        case Verb.UNBAN:
            return replace(room, banned=_without(room.banned, user))
        case Verb.MUTE:
            return replace(room, muted={**room.muted, user: until})
        case Verb.UNMUTE:
            return replace(room, muted=_without(room.muted, user))
        case Verb.ROLE:
            return replace(room, roles={**room.roles, user: _granted(mine, asked.text)})
        case _:
            return _configured(room, asked)


def _configured(room: Room, asked: Command) -> Room:
    """What is about the room as a whole; an announcement changes nothing of it."""
    match asked.verb:
        case Verb.TOPIC:
            return replace(room, topic=asked.text)
        case Verb.SLOW:
            return replace(room, slow=min(asked.seconds, MOST_SLOW))
        case Verb.CLOSE:
            return replace(room, closed=True)
        case _:
            return room


def _granted(mine: Role, wanted: str) -> Role:
    roles = [role for role in Role if role.rank < mine.rank or mine is Role.OWNER is role]
    if wanted not in roles:
        raise Forbidden(f"you can give these roles: {', '.join(roles)}; not {wanted!r}")
    return Role(wanted)


def _without(untils: Mapping[str, float], user: str) -> Mapping[str, float]:
    return {name: until for name, until in untils.items() if name != user}
