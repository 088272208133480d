"""Who is here, who only seems to be, and what becomes of all when another hub takes over."""

import asyncio
from collections.abc import Sequence

from chat.checks.world import KIB, LIMITS, World, judged
from chat.contract import Close, Hub
from lab.grader import Conclude, requires


def test_the_silent_are_noticed(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """Who gives no sign of life is asked after `heartbeat` seconds, and ended with 1011 `patience` seconds
    later, at most a quarter of a heartbeat late for each."""

    async def scenario(world: World) -> None:
        silent = await world.client("silent", "tea")
        silent.answers = False
        socket, late = world.socket("silent"), LIMITS.heartbeat / 2
        await asyncio.sleep(LIMITS.heartbeat + LIMITS.patience - 1.0)
        assert socket.pings > 0, (
            f"it was silent for {LIMITS.heartbeat + LIMITS.patience - 1:g} s, and never asked"
        )
        assert socket.closed_with == 0, "it was ended before its time to answer was over"
        await asyncio.sleep(1.0 + late)
        assert socket.closed_with == Close.SILENT, f"it was ended with {socket.closed_with or 'nothing'}"
        assert world.hub.stats().connections == 0, "who was silent is still counted"

    conclude(judged(engine, scenario, seeds))


def test_the_living_are_left_alone(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """Who answers is never ended, however long it says nothing; who is heard anyway is not asked."""

    async def scenario(world: World) -> None:
        quiet, busy = await world.client("quiet", "tea"), await world.client("busy", "tea")
        for _ in range(60):
            await asyncio.sleep(LIMITS.heartbeat / 4)
            busy.say()
        asked = world.socket("quiet").pings
        requires(asked > 0, "a question to who is quiet")
        assert world.socket("quiet").closed_with == 0, (
            f"it answered every time, and was ended ({asked} pings)"
        )
        assert asked <= 16, f"in 15 heartbeats it was asked {asked} times"
        assert world.socket("busy").pings == 0, (
            f"it was heard all the time, and asked {world.socket('busy').pings}"
        )
        world.publish("tea", "still here?")
        await asyncio.sleep(1.0)
        assert quiet.got == busy.got == ["still here?"], f"they got {quiet.got} and {busy.got}"

    conclude(judged(engine, scenario, seeds))


def test_presence_counts_devices(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """A user is online from the first connection to `linger` seconds after the last, and each change is told
    once."""

    async def scenario(world: World) -> None:
        phone, laptop = await world.client("ann"), await world.client("ann")
        await asyncio.sleep(1.0)
        assert world.told == [("ann", True)], f"ann came with two devices, and it was told {world.told}"
        phone.leave()
        await asyncio.sleep(2 * LIMITS.linger)
        assert world.told == [("ann", True)], f"one device is still here, and it was told {world.told}"
        laptop.leave()
        await asyncio.sleep(LIMITS.linger / 2)
        assert world.told == [("ann", True)], (
            f"ann has just lost the last connection, and it was told {world.told}"
        )
        await asyncio.sleep(LIMITS.linger)
        assert world.told == [("ann", True), ("ann", False)], (
            f"both devices are gone, and it was told {world.told}"
        )

    conclude(judged(engine, scenario, seeds))


def test_who_is_back_at_once_was_never_away(
    engine: type[Hub], conclude: Conclude, seeds: Sequence[int]
) -> None:
    """A user who reconnects within `linger` seconds stays online, however often, and is offline in the end."""

    async def scenario(world: World) -> None:
        for _ in range(4):
            client = await world.client("ann")
            client.leave()
            await asyncio.sleep(LIMITS.linger / 2)
        assert world.told == [("ann", True)], f"ann was away for moments only, and it was told {world.told}"
        await asyncio.sleep(2 * LIMITS.linger)
        assert world.told == [("ann", True), ("ann", False)], (
            f"ann has left for good, it was told {world.told}"
        )

    conclude(judged(engine, scenario, seeds))


def test_another_hub_takes_over(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """When a hub stops, it returns every connection with its rooms and what waits for it, and the next goes
    on from there: nothing is lost, nothing comes twice, nobody comes or goes."""

    async def scenario(world: World) -> None:
        ann, slow = await world.client("ann", "tea"), await world.client("slow", "tea", "coffee")
        slow.stop_reading()
        for number in range(12):
            world.publish("tea", str(number), KIB)
            if number == 8:
                await asyncio.sleep(1.0)
        seats = await world.switch()
        rooms = {seat.connection.user: seat.rooms for seat in seats}
        assert rooms == {"ann": {"tea"}, "slow": {"tea", "coffee"}}, f"stop() returned {rooms}"
        world.publish("tea", "12")
        slow.read_on()
        await asyncio.sleep(60.0)
        said = [str(number) for number in range(13)]
        assert ann.got == said, f"ann got {ann.got}"
        assert slow.got == said, f"who was slow got {slow.got}"
        assert world.told == [("ann", True), ("slow", True)], f"it was told {world.told}"
        slow.answers = False
        await asyncio.sleep(LIMITS.heartbeat + LIMITS.patience + LIMITS.heartbeat / 2)
        assert world.socket("slow").closed_with == Close.SILENT, "the next hub did not notice who fell silent"

    conclude(judged(engine, scenario, seeds))


def test_stop_leaves_nothing_behind(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """When `stop` returns, no task and no timer of the hub goes on: it writes nothing, and tells nothing."""

    async def scenario(world: World) -> None:
        ann, bob = await world.client("ann", "tea"), await world.client("bob", "tea")
        bob.leave()
        await asyncio.sleep(0.5)
        world.publish("tea", "last words")
        seats = await world.stop()
        told, socket = list(world.told), world.socket("ann")
        writes = socket.writes
        mine = asyncio.all_tasks() - {asyncio.current_task()}
        assert not mine, f"these tasks go on: {[task.get_name() for task in mine]}"
        await asyncio.sleep(LIMITS.heartbeat + LIMITS.patience + LIMITS.heartbeat)
        assert ann.got == ["last words"], f"before it stopped, 'last words' was published; ann got {ann.got}"
        assert [seat.connection for seat in seats] == [socket], (
            f"stop() returned {len(seats)} seats, one is here"
        )
        assert socket.writes == writes, "it wrote after stop() had returned"
        assert socket.closed_with == 0, (
            f"it closed a connection with {socket.closed_with}: that is not its own"
        )
        assert socket.pings == 0, "it went on asking after stop() had returned"
        assert ("bob", False) in told, "bob had left, and stop() did not tell"
        assert world.told == told, f"it told {world.told[len(told) :]} after stop() had returned"

    conclude(judged(engine, scenario, seeds))
