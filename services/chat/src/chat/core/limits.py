"""How often somebody may do something, without a timer (GCRA, ITU-T I.371)."""

from collections.abc import Hashable
from dataclasses import dataclass
from math import ceil

from chat.contract import ChatError

__all__ = ["Meter", "Pace", "Pauses", "Rate", "TooOften", "slowly"]

MOST_SLOW = 3600.0  # seconds


class TooOften(ChatError):
    """More than the rate allows; the text says how long to wait."""

    code = "too_often"


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and `per_second` on average."""

    per_second: float
    burst: int


class Meter:
    """One bucket for each key. What is full again is forgotten, so memory is bounded by who was active
    lately."""

    def __init__(self, rate: Rate, tidy_at: int = 10_000) -> None:
        self._step, self._reach = 1.0 / rate.per_second, (rate.burst - 1) / rate.per_second
        self._tidy_at = tidy_at
        self._full_at: dict[Hashable, float] = {}

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until `key` may; 0.0 means now, and counts."""
        full_at = self._full_at.get(key, now)
        full_at = full_at if full_at > now else now
        early = full_at - self._reach - now
        if early > 0:
            return early
        if len(self._full_at) >= self._tidy_at:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
        self._full_at[key] = full_at + self._step
        return 0.0

    def forget(self, key: Hashable) -> None:
        self._full_at.pop(key, None)


class Pace:
    """How often one user, and all in one room together, may do what others hear of or Redis keeps. Every method
    raises `TooOften`."""

    def __init__(self, user: Rate, room: Rate) -> None:
        self._by_user, self._by_room = Meter(user), Meter(room)
        self._by_kind, self._reading = Meter(user), Meter(room)

    def happen(self, user: str, room: str, now: float) -> None:
        """Something that becomes an event of the room: a message, an edit, a deletion, a command."""
        if wait := self._by_user.wait(user, now):
            raise TooOften(f"you say too much at once: wait {wait:.1f} s")
        if wait := self._by_room.wait(room, now):
            raise TooOften(f"too much is said in {room} at once: wait {wait:.1f} s")

    def ask(self, user: str, kind: str, now: float) -> None:
        """Another request of this `kind`; each kind counts for itself."""
        if wait := self._by_kind.wait((user, kind), now):
            raise TooOften(f"too many requests to {kind} at once: wait {wait:.1f} s")

    def read(self, user: str, now: float) -> None:
        """Marking what one has read: as often as a room may speak."""
        if wait := self._reading.wait(user, now):
            raise TooOften(f"you read too much at once: wait {wait:.1f} s")


class Pauses:
    """Who spoke when, in rooms in slow mode; forgotten after an hour, the longest that it may ask for."""

    def __init__(self) -> None:
        self._spoke: dict[tuple[str, str], float] = {}

    def wait(self, user: str, room: str, seconds: float, now: float) -> float:
        """Seconds until `user` may speak again; none means now, and counts."""
        left = self._spoke.get((room, user), -MOST_SLOW) + seconds - now
        if left <= 0:
            self._spoke = {one: at for one, at in self._spoke.items() if at + MOST_SLOW > now}
            self._spoke[room, user] = now
        return max(0.0, left)


def slowly(room: str, seconds: float) -> TooOften:
    """What is said to whom slow mode lets wait for so long."""
    return TooOften(f"{room} is in slow mode: wait {ceil(seconds)} s")
