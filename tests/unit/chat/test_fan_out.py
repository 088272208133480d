"""A large room is written to in parts, between which others have the loop; nobody's frames know of it."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from chat.contract import Batch, Frame, Gone, Limits, Ports
from chat.engine import Hub
from chat.engine.room import PARTS

PEOPLE, LIMITS = 9, Limits()
WHO = st.integers(0, PEOPLE - 1)
STEPS = st.lists(
    st.one_of(
        st.just(("publish", 0)),
        st.just(("turn", 0)),
        st.tuples(st.sampled_from(["join", "leave", "gone", "block", "free"]), WHO),
    ),
    max_size=60,
)


class Reader:
    """A connection that keeps what it gets; who is gone or takes nothing must get nothing."""

    def __init__(self, number: int) -> None:
        self.user, self.blocked, self.gone, self.got = str(number), False, False, b""

    def write(self, batch: Batch) -> None:
        assert not self.gone, f"{self.user} is gone"
        assert not self.blocked, f"{self.user} takes nothing"
        self.got += batch.data

    def ping(self) -> None:
        raise Gone(self.user)

    def close(self, code: int, reason: str) -> None:
        self.gone = True

    async def drain(self) -> None:
        raise Gone(self.user)


class Play:
    """A hub whose rooms of nine have four parts, and what each of nine people should have got."""

    def __init__(self) -> None:
        self.hub = Hub(Ports(), Limits(part=2))
        self.people = [Reader(number) for number in range(PEOPLE)]
        self.inside: set[Reader] = set()
        self.due = dict.fromkeys(self.people, b"")
        self._said = 0

    async def step(self, verb: str, who: int) -> None:
        reader = self.people[who]
        match verb:
            case "turn":
                await asyncio.sleep(0)
            case "publish":
                self._publish()
            case "join" if not reader.gone:
                self.hub.join(reader, "tea")
                self.inside.add(reader)
            case "leave":
                self.hub.leave(reader, "tea")
                self.inside.discard(reader)
            case "gone":
                self.hub.disconnect(reader)
                self.inside.discard(reader)
                reader.gone = True
            case "block":
                reader.blocked = True
            case "free":
                reader.blocked = False
                self.hub.writable(reader)

    async def end(self) -> None:
        """Everybody reads again, and nothing is left to write."""
        for number in range(PEOPLE):
            await self.step("free", number)
        await self.hub.stop(1.0)

    def _publish(self) -> None:
        self._said += 1
        said = f"{self._said}\n".encode()
        self.hub.publish("tea", Frame(said))
        for reader in self.inside:
            self.due[reader] += said


@given(STEPS, STEPS)
def test_each_gets_everything_from_joining_to_leaving_in_order(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    async def play() -> None:
        there = Play()
        for reader in there.people:
            there.hub.connect(reader)
        for step in (*before, *(("join", number) for number in range(PEOPLE)), *after):
            await there.step(*step)
        await there.end()
        for reader, due in there.due.items():
            assert due.startswith(reader.got) if reader.gone else reader.got == due

    asyncio.run(play())


def test_others_have_the_loop_while_a_large_room_is_written_to() -> None:
    async def play() -> list[int]:
        hub, readers = Hub(Ports(), LIMITS), [Reader(number) for number in range(PARTS * LIMITS.part)]
        for reader in readers:
            hub.connect(reader)
            hub.join(reader, "tea")
        hub.publish("tea", Frame(b"one"))
        reached = []
        for _ in range(2 * PARTS):
            await asyncio.sleep(0)
            if len(reached) == 1:
                hub.publish("tea", Frame(b"two"))  # what comes meanwhile comes afterwards
            reached.append(sum(len(reader.got) for reader in readers) // len(b"one"))
        await hub.stop(1.0)
        assert {reader.got for reader in readers} == {b"onetwo"}
        return reached

    assert asyncio.run(play()) == [LIMITS.part * turn for turn in range(1, 2 * PARTS + 1)]


def test_a_small_room_is_written_to_at_once() -> None:
    async def play() -> set[bytes]:
        hub, readers = Hub(Ports(), LIMITS), [Reader(number) for number in range(2 * LIMITS.part - 1)]
        for reader in readers:
            hub.connect(reader)
            hub.join(reader, "tea")
        hub.publish("tea", Frame(b"one"))
        hub.publish("tea", Frame(b"two"))
        await asyncio.sleep(0)
        got = {reader.got for reader in readers}
        await hub.stop(1.0)
        return got

    assert asyncio.run(play()) == {b"onetwo"}
