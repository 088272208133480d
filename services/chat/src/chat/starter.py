"""A2: a real-time chat. This is your file: `lab start A2` copies it to workspace/chat.py.

Ports: your hub never opens a socket. It gets `Connection`s, which may be written to, asked for a sign of
life and closed; none of that waits. So the same file runs in the live service, behind real WebSockets, and
in `lab check`, behind a simulated network where an hour takes no time, and where a client that stops reading
really pushes back. Time is the loop's: `asyncio.get_running_loop()` has `time()`, `call_soon` and
`call_later`, and in the grader they are simulated. Tasks you begin with `ports.spawn(coroutine, "name")`;
you may not need any. What each part promises stands in `chat/contract.py`.

    python workspace/chat.py     tries it once: three people on real sockets, one of whom does not read
    lab check A2                 judges it: which requirement fails, and what happened
    lab hint A2                  one level at a time

A way through, each step a little harder. Every step makes some more checks pass:

    [ ] 1. `connect`, `join`, `publish`, `send`: everybody in the room gets the frame. `leave`, `disconnect`.
           Each check ends with `stop`: let it return who is connected, until you come to 7.
    [ ] 2. Gather what is published in one turn of the loop, and write it at the end of it, once for each client.
           Who joins or leaves in the middle of a turn?
    [ ] 3. `blocked`: do not write to who does not read. Queue it; `writable` says when to go on.
    [ ] 4. The bound of that queue: typing goes first, then outdated presence, then the client.
    [ ] 5. The heartbeat: who has not been heard for long is asked; who does not answer is ended.
    [ ] 6. Presence: a user with two devices, a user who is back at once.
    [ ] 7. `stop` and `start`: the next hub goes on where this one ends.

`chat.core.frames.batch` makes one write of several frames.
"""

import sys
from collections.abc import Sequence

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which would hide the package of the same name

from chat.contract import Connection, Frame, Limits, Ports, Seat, Stats


class Hub:
    """See `contract.Hub` for what each method promises. All of them are called on one loop; only `stop` may
    await."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        # TODO: what has to be known of a connection, and what of a room? It is made before the loop runs,
        # perhaps: timers and tasks begin in `start`.
        self.ports = ports
        self.limits = limits or Limits()

    async def start(self, seats: Sequence[Seat]) -> None:
        """Begin, with the connections an earlier hub has handed over; nobody notices."""
        # TODO: each seat has a connection, its rooms, and frames that still wait for it: they come before
        # anything new. Its user is online already: nobody is told again.
        # TODO: the heartbeat begins here. One timer for all is cheaper than a task for each of 5,000
        # connections.
        raise NotImplementedError

    def connect(self, connection: Connection) -> None:
        """A client is here. The first connection of a user makes it online."""
        # TODO: `ports.presence(user, True)`, once, however many devices the user has.
        raise NotImplementedError

    def disconnect(self, connection: Connection) -> None:
        """It is gone: out of every room. `limits.linger` after the last one its user is offline."""
        # TODO: this may be called twice, and for who was never here. Nothing of the connection may stay: a
        # chat that forgets to forget is full after a week.
        # TODO: a train goes through a tunnel. If the user is back within `limits.linger`, nobody is told.
        raise NotImplementedError

    def join(self, connection: Connection, room: str) -> None:
        """From now on it gets what is published to `room`, and nothing that was before."""
        # TODO: "before" includes what was published a moment ago and is not written yet.
        raise NotImplementedError

    def leave(self, connection: Connection, room: str) -> None:
        """It gets what was published to `room` before, and nothing from now on."""
        raise NotImplementedError

    def publish(self, room: str, frame: Frame) -> None:
        """For everyone in `room`."""
        # TODO: two hundred people, ten frames: two thousand writes, or two hundred? What is written at the
        # end of this turn of the loop can be put together first. Not later than that: somebody waits for it.
        # TODO: who is blocked costs nobody else anything: not a moment, and not memory without a bound.
        # Connections may also end while you write to them (`Gone`).
        raise NotImplementedError

    def send(self, connection: Connection, frame: Frame) -> None:
        """For one client, after what was sent to it before."""
        raise NotImplementedError

    def writable(self, connection: Connection) -> None:
        """The network takes more from this client's connection again."""
        # TODO: in pieces of about `limits.batch`, and no more than it takes: look at `blocked` after each.
        raise NotImplementedError

    def heard(self, connection: Connection) -> None:
        """The client gave a sign of life."""
        # TODO: this is called for everything that comes in, so it should be cheap.
        raise NotImplementedError

    def stats(self) -> Stats:
        """One moment of the hub, consistent in itself."""
        raise NotImplementedError

    async def stop(self, deadline: float) -> Sequence[Seat]:
        """Write what can be written, leave no task and no timer, return who is here. It closes no
        connection."""
        # TODO: whoever is about to be offline is now: the next hub knows nothing of them.
        raise NotImplementedError


if __name__ == "__main__":
    from chat.checks.tryout import tryout

    tryout(Hub)
