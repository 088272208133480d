"""Mistakes about who is here."""

from collections.abc import Sequence
from dataclasses import replace

from chat.contract import Connection, Limits, Ports, Seat
from chat.engine import Hub
from chat.engine.attendance import Attendance

__all__ = [
    "AsksEverybody",
    "CountsConnections",
    "EndsWhoIsQuiet",
    "ForgetsTheQueues",
    "GoesOnTicking",
    "LeavesAtOnce",
    "NeverAsks",
    "TakesOverLoudly",
]


class NeverAsks(Hub):
    """Believes that a connection which is open has somebody at its other end."""

    caught_by = "the_silent_are_noticed"

    async def start(self, seats: Sequence[Seat]) -> None:
        await super().start(seats)
        self._heartbeat.stop()


class EndsWhoIsQuiet(Hub):
    """Ends who has said nothing for long, without asking, or without listening to the answer."""

    caught_by = "the_living_are_left_alone"

    def heard(self, connection: Connection) -> None: ...


class AsksEverybody(Hub):
    """Asks all the time, also who has just been heard."""

    caught_by = "the_living_are_left_alone"

    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, limits)
        look, heartbeat = self._heartbeat._look, self._heartbeat

        def ask_all() -> None:
            for connection in self._clients:
                connection.ping()
            look()

        heartbeat._look = ask_all  # type: ignore[method-assign]  # the mistake


class _OneEach(Attendance):
    """Takes each connection for a user."""

    def came(self, user: str) -> None:
        super().came(user)
        if self._connections[user] > 1:
            self._tell(user, True)


class CountsConnections(Hub):
    """Tells of each connection, as if it were a user."""

    caught_by = "presence_counts_devices"

    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, limits)
        self._attendance = _OneEach(ports.presence, limits.linger)


class LeavesAtOnce(Hub):
    """Tells that somebody is offline as soon as a connection is lost, and online again a second later."""

    caught_by = "who_is_back_at_once_was_never_away"

    def __init__(self, ports: Ports, limits: Limits) -> None:
        super().__init__(ports, replace(limits, linger=0.0))


class ForgetsTheQueues(Hub):
    """Hands the connections over, but not what waits for them."""

    caught_by = "another_hub_takes_over"

    async def stop(self, deadline: float) -> Sequence[Seat]:
        return [replace(seat, frames=()) for seat in await super().stop(deadline)]


class TakesOverLoudly(Hub):
    """Takes everybody who was handed over for somebody who has just come."""

    caught_by = "another_hub_takes_over"

    async def start(self, seats: Sequence[Seat]) -> None:
        await super().start(())
        for seat in seats:
            self.connect(seat.connection)
            for room in seat.rooms:
                self.join(seat.connection, room)
            for frame in seat.frames:
                self.send(seat.connection, frame)


class GoesOnTicking(Hub):
    """Stops, but for its heartbeat."""

    caught_by = "stop_leaves_nothing_behind"

    async def stop(self, deadline: float) -> Sequence[Seat]:
        seats = await super().stop(deadline)
        for seat in seats:
            self._clients[seat.connection] = self._seated(seat.connection)
        self._heartbeat.start()
        return seats
