"""The hub as the shell sees it: while one takes over from another, nothing that is published gets lost."""

from collections.abc import Callable, Mapping, Sequence

from chat.adapters.session import Session
from chat.contract import Close, Connection, Frame, Hub, Seat

__all__ = ["Relay"]


class Relay:
    """`hub`, but that what is published while it stops is held for the next. A client that came, joined or
    left meanwhile is sent to come back: it resumes by id."""

    def __init__(
        self, hub: Hub, sessions: Mapping[Connection, Session], held: list[tuple[str, Frame]]
    ) -> None:
        self._hub, self._sessions, self._held = hub, sessions, held
        self.connect, self.disconnect = hub.connect, hub.disconnect
        self.join, self.leave = hub.join, hub.leave
        self.publish: Callable[[str, Frame], None] = hub.publish
        self.send, self.writable, self.heard, self.stats = hub.send, hub.writable, hub.heard, hub.stats

    async def start(self, seats: Sequence[Seat]) -> None:
        """Begin with those of `seats` who are still here, and with what was held."""
        await self._hub.start([seat for seat in seats if seat.connection in self._sessions])
        there = {seat.connection: seat.rooms for seat in seats}
        for connection, session in list(self._sessions.items()):
            if there.get(connection) != frozenset(session.settled):
                self._hub.connect(connection)
                connection.close(Close.RESTART, "something changed just then: come back now")
        while self._held:
            self._hub.publish(*self._held.pop(0))

    async def stop(self, deadline: float) -> Sequence[Seat]:
        """From now on what is published is held."""
        self.publish = lambda room, frame: self._held.append((room, frame))
        return await self._hub.stop(deadline)
