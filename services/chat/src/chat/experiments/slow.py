"""One client that hardly reads, among others that do: with a queue of its own, and with a sender that waits
for it."""

import asyncio
from collections.abc import Callable

from chat.contract import Frame, Hub, Limits, Ports
from chat.engine import Hub as Reference
from chat.experiments.stage import Listener, hub_of, in_virtual_time
from chat.naive import Hub as Naive
from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive

__all__ = ["SLOW"]

MESSAGES, SIZE, PERIOD = 400, 1024, 0.05  # of that size, one in that many seconds
RATE = 2048.0  # bytes a second that the slow one reads
HIGH, LOW = Listener.HIGH, Listener.LOW
LATE = 0.001


def run(laboratory: Laboratory) -> list[Finding]:
    """How late the last message comes to somebody who reads everything, beside somebody who hardly does."""
    laboratory.say(f"{MESSAGES} messages beside a client that reads {RATE:g} bytes a second, in virtual time")
    # The room waits at each message that makes the transport full, until it is down to its low-water mark.
    spoken, held = MESSAGES * PERIOD, (MESSAGES * SIZE - HIGH) / RATE
    return [
        Finding(
            "with a bounded queue for each",
            "the hub never waits, so nobody is late",
            0.0,
            LATE,
            [delay(Reference, number) for number in range(REPETITIONS)],
            "s",
        ),
        Finding(
            "with a sender that waits",
            f"{MESSAGES * SIZE} bytes but the {HIGH} in the transport, read at {RATE:g}/s: "
            f"{held:.0f} s, less the {spoken:.0f} s in which they are said; up to {(HIGH - LOW) / RATE:.0f} s "
            "more, for the sender waits until the transport is down to its low-water mark",
            held - spoken,
            held - spoken + (HIGH - LOW + SIZE) / RATE,
            [delay(Naive, number) for number in range(REPETITIONS)],
            "s",
        ),
    ]


def delay(engine: Callable[[Ports, Limits], Hub], number: int) -> float:
    """Seconds from the last message to its arrival at a client that reads; the slow one came `number`-th."""

    async def work() -> float:
        loop, hub = asyncio.get_running_loop(), await hub_of(engine, Limits(heartbeat=1e6))
        readers, slow = [Listener(f"reader-{one}") for one in range(REPETITIONS)], Listener("slow", RATE)
        for reader in readers:
            reader.wanted = MESSAGES
        for listener in (*readers[:number], slow, *readers[number:]):
            listener.sit(hub, "tea")
        for _ in range(MESSAGES):
            said = loop.time()
            hub.publish("tea", Frame(b"x" * SIZE, born=said))
            await asyncio.sleep(PERIOD)
        for reader in readers:
            await reader.full.wait()
        if slow.frames == MESSAGES and engine is Reference:
            raise Inconclusive("the slow reader was not slow")
        await hub.stop(0.0)
        return max(reader.at[-1] for reader in readers) - said

    return in_virtual_time(work)


SLOW = Experiment(
    name="slow",
    claim="A client that hardly reads delays nobody if its hub queues for it, and all if its hub waits for it.",
    prediction=(
        "with a queue for each client: no delay; with one sender that waits, everybody gets messages no faster "
        "than the slowest reads them, so the last one is late by what is left to be read then"
    ),
    run=run,
    panel=Panel("chat", "Clients for whom something waits"),
    live=(
        "lab use chat naive",
        "lab fault chat slow-reader=0.2",
        "lab fault chat off",
        "lab use chat reference",
    ),
)
