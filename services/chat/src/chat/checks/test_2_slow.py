"""A client that does not read costs nobody anything but itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from chat.checks.world import KIB, LIMITS, World, judged
from chat.contract import Close, Hub, Kind
from lab.grader import Conclude, requires


def test_a_slow_reader_slows_nobody(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """While one client does not read, the others get everything at once."""

    async def scenario(world: World) -> None:
        slow = await world.client("slow", "tea")
        people = [await world.client(name, "tea") for name in ("ann", "bob")]
        slow.stop_reading()
        loop = asyncio.get_running_loop()
        asked = []
        for number in range(40):
            asked.append(loop.time())
            world.publish("tea", str(number), KIB)
            await asyncio.sleep(0.5)
        await asyncio.sleep(60.0)
        requires(len(slow.got) < 40, "the stall of the slow reader")
        for client in people:
            assert client.got == [str(number) for number in range(40)], f"{client.name} got {client.got}"
            late = max(came - sent for sent, came in zip(asked, client.at, strict=True))
            assert late < 0.5, f"a frame came to {client.name} {late:.1f} s after it was published"

    conclude(judged(engine, scenario, seeds))


def test_what_waits_is_bounded(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """Who does not read at all is ended with 1013 as soon as more than `limits.queue` waits for it, and then
    nothing waits for it any more."""

    async def scenario(world: World) -> None:
        slow, _ = await world.client("slow", "tea"), await world.client("ann", "tea")
        slow.stop_reading()
        socket, sent = world.socket("slow"), 0
        for _ in range(64):
            world.publish("tea", "x", KIB)
            sent += KIB
            await asyncio.sleep(0.1)
            if socket.closed_with:
                break
        most = LIMITS.queue + 8 * KIB
        assert socket.closed_with == Close.TRY_AGAIN_LATER, (
            f"{sent // KIB} KiB were published, closed with {socket.closed_with or 'nothing'}"
        )
        assert sent <= most, f"it was ended only after {sent // KIB} KiB, {most // KIB} KiB may wait"
        assert sent > LIMITS.queue, (
            f"it was ended after {sent // KIB} KiB, {LIMITS.queue // KIB} KiB may wait"
        )
        assert socket.most_waiting <= 8 * KIB, f"{socket.most_waiting} bytes were written to who takes none"
        assert world.hub.stats().queued_bytes == 0, f"still queued: {world.hub.stats().queued_bytes} bytes"

    conclude(judged(engine, scenario, seeds))


def test_a_short_stall_loses_nothing(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """Who reads again in time gets everything that was published meanwhile, once and in order, and what comes
    next."""

    async def scenario(world: World) -> None:
        slow = await world.client("slow", "tea")
        slow.stop_reading()
        for number in range(14):
            world.publish("tea", str(number), KIB)
            await asyncio.sleep(0.1)
        requires(len(slow.got) < 14, "the stall")
        slow.read_on()
        for number in range(14, 20):
            world.publish("tea", str(number), 128)
            await asyncio.sleep(0.001)
        await asyncio.sleep(60.0)
        assert world.socket("slow").closed_with == 0, f"it was ended with {world.socket('slow').closed_with}"
        assert slow.got == [str(number) for number in range(20)], f"it got {slow.got}"

    conclude(judged(engine, scenario, seeds))


def test_typing_goes_first(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """When a queue is full, typing that waits makes room for messages, and the client stays."""

    async def scenario(world: World) -> None:
        slow = await world.client("slow", "tea")
        slow.stop_reading()
        for number in range(40):
            kind = Kind.TYPING if number % 4 else Kind.MESSAGE
            world.publish("tea", f"{kind.name} {number}", KIB, kind)
            await asyncio.sleep(0.1)
        assert world.socket("slow").closed_with == 0, "it was ended, and half of what waited was only typing"
        slow.read_on()
        await asyncio.sleep(60.0)
        messages = [text for text in slow.got if text.startswith("MESSAGE")]
        assert messages == [f"MESSAGE {number}" for number in range(0, 40, 4)], f"it got {slow.got}"

    conclude(judged(engine, scenario, seeds))


def test_presence_is_coalesced(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """When a queue is full, of what waits about one user's presence only the last stays, and every message."""

    async def scenario(world: World) -> None:
        slow = await world.client("slow", "tea")
        slow.stop_reading()
        for number in range(60):
            who = f"u{number % 3}"
            if number % 10 == 0:
                world.publish("tea", f"message {number}", KIB)
            else:
                world.publish("tea", f"{who} {number}", KIB, Kind.PRESENCE, who)
            await asyncio.sleep(0.1)
        assert world.socket("slow").closed_with == 0, "it was ended, and most of what waited was superfluous"
        slow.read_on()
        await asyncio.sleep(60.0)
        messages = [text for text in slow.got if text.startswith("message")]
        assert messages == [f"message {number}" for number in range(0, 60, 10)], f"it got {slow.got}"
        last = {text.split()[0]: int(text.split()[1]) for text in slow.got if text.startswith("u")}
        assert last == {"u0": 57, "u1": 58, "u2": 59}, f"the last presence it got of each is {last}"

    conclude(judged(engine, scenario, seeds))


def test_a_burst_does_not_overrun(engine: type[Hub], conclude: Conclude, seeds: Sequence[int]) -> None:
    """What waited is written to a slow client in pieces, as its network takes them, not all at once."""

    async def scenario(world: World) -> None:
        slow = await world.client("slow", "tea")
        slow.stop_reading()
        for number in range(100):
            world.publish("tea", str(number), KIB)
            await asyncio.sleep(0.01)
        requires(len(slow.got) < 100, "the stall")
        slow.read_on()
        await asyncio.sleep(60.0)
        waited = world.socket("slow").most_waiting
        assert slow.got == [str(number) for number in range(100)], f"it got {len(slow.got)} of 100 frames"
        assert waited <= 12 * KIB, (
            f"{waited // KIB} KiB were written at once to a connection that was blocked"
        )

    conclude(judged(engine, scenario, seeds, replace(LIMITS, queue=256 * KIB)))
