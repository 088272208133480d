"""Who is in a room gets what is said there: all of it, in order, once; nobody else does."""

import asyncio
import gc
import weakref
from collections.abc import Sequence

from chat.checks.world import World, judged
from chat.contract import Frame, Hub
from lab.grader import Conclude, requires


def test_everyone_in_the_room_hears(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """Each frame that is published to a room comes to everybody in it, once and in order, and to nobody
    else."""

    async def scenario(world: World) -> None:
        people = [await world.client(name, "tea") for name in ("ann", "bob", "cleo")]
        other = await world.client("dan", "coffee")
        for number in range(20):
            world.publish("tea", f"tea {number}")
            if number % 5 == 0:
                world.publish("coffee", f"coffee {number}")
                await asyncio.sleep(0.01)
        await asyncio.sleep(60.0)
        said = [f"tea {number}" for number in range(20)]
        for client in people:
            assert client.got == said, f"{client.name} should have got {said}, and got {client.got}"
        assert other.got == [f"coffee {number}" for number in (0, 5, 10, 15)], (
            f"dan, elsewhere, got {other.got}"
        )

    conclude(judged(engine, scenario, seeds))


def test_joining_begins_with_the_next_frame(
    engine: type[Hub], conclude: Conclude, seeds: Sequence[int]
) -> None:
    """Who joins gets what is published from then on, who leaves what was published until then, also within one
    turn of the loop."""

    async def scenario(world: World) -> None:
        await world.client("ann", "tea")
        comes, goes = await world.client("bob"), await world.client("cleo", "tea")
        world.publish("tea", "before")
        world.hub.join(world.socket("bob"), "tea")
        world.hub.join(world.socket("bob"), "tea")
        world.publish("tea", "between")
        world.hub.leave(world.socket("cleo"), "tea")
        world.publish("tea", "after")
        await asyncio.sleep(60.0)
        assert comes.got == ["between", "after"], f"who joined after 'before' got {comes.got}"
        assert goes.got == ["before", "between"], f"who left before 'after' got {goes.got}"

    conclude(judged(engine, scenario, seeds))


def test_one_write_for_a_turn_of_the_loop(
    engine: type[Hub], conclude: Conclude, seeds: Sequence[int]
) -> None:
    """What is published to a room between two turns of the loop is written to each client at once, and at
    the end of that turn, not later."""

    async def scenario(world: World) -> None:
        client = await world.client("ann", "tea")
        socket, began = world.socket("ann"), asyncio.get_running_loop().time()
        for number in range(10):
            world.publish("tea", str(number))
        await asyncio.sleep(60.0)
        requires(client.got == [str(number) for number in range(10)], "the arrival of ten frames")
        assert socket.writes == 1, f"10 frames of one turn took {socket.writes} writes"
        late = max(client.at) - began
        assert late < 1.0, f"the last of them came after {late:.1f} s"

    conclude(judged(engine, scenario, seeds))


def test_a_message_to_one_is_to_one(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """What is sent to one client comes there, in order and once, and nowhere else."""

    async def scenario(world: World) -> None:
        ann, bob = await world.client("ann", "tea"), await world.client("bob", "tea")
        for number in range(5):
            world.hub.send(world.socket("ann"), Frame(f"{number}\n".encode()))
        await asyncio.sleep(60.0)
        assert ann.got == ["0", "1", "2", "3", "4"], f"ann should have got five frames, and got {ann.got}"
        assert bob.got == [], f"bob got {bob.got}"

    conclude(judged(engine, scenario, seeds))


def test_who_is_gone_is_forgotten(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """A client that vanishes while the room talks disturbs nobody, gets nothing any more, and nothing of it
    stays."""

    async def scenario(world: World) -> None:
        ann, bob = await world.client("ann", "tea"), await world.client("bob", "tea", "coffee")
        socket = world.socket("bob")
        bob.leave()
        for number in range(10):
            world.publish("tea", str(number))
            world.hub.send(socket, Frame(b"for bob\n"))
            await asyncio.sleep(0.02)
        await asyncio.sleep(60.0)
        assert ann.got == [str(number) for number in range(10)], f"ann got {ann.got}"
        stats = world.hub.stats()
        assert (stats.connections, stats.rooms) == (1, 1), f"one is here, in one room; stats() says {stats}"
        left = weakref.ref(socket)
        world.sockets["bob"].clear()
        del socket, bob
        gc.collect()
        assert left() is None, "the hub still holds the connection of who is gone"

    conclude(judged(engine, scenario, seeds))


def test_a_broken_connection_hurts_nobody(
    engine: type[Hub], conclude: Conclude, seeds: Sequence[int]
) -> None:
    """A connection that ends in the middle of a broadcast does not keep it from the others."""

    async def scenario(world: World) -> None:
        people = [await world.client(name, "tea") for name in ("ann", "bob", "cleo")]
        world.socket("bob").broken = True
        for number in range(3):
            world.publish("tea", str(number))
            await asyncio.sleep(0.1)
        await asyncio.sleep(60.0)
        for client in (people[0], people[2]):
            assert client.got == ["0", "1", "2"], (
                f"bob's connection broke, and {client.name} got {client.got}"
            )

    conclude(judged(engine, scenario, seeds))
