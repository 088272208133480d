"""What a message costs against the size of its room: with a write for each frame, and with one for each
turn."""

import asyncio
from collections.abc import Callable, Sequence

from chat.contract import Frame, Hub, Limits, Ports
from chat.engine import Hub as Reference
from chat.experiments.stage import Listener, hub_of, in_virtual_time
from chat.mutants import SendsOneByOne
from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory

__all__ = ["FANOUT"]

SIZES: Sequence[int] = (10, 50, 100, 200, 500, 1000)
TURNS, WINDOW = 20, 16


def run(laboratory: Laboratory) -> list[Finding]:
    """Count the writes for each message and client, in rooms of several sizes, `WINDOW` messages a turn."""
    laboratory.say(
        f"{TURNS} turns of the loop with {WINDOW} messages each, in rooms of {SIZES[0]} to {SIZES[-1]}"
    )
    assert len(SIZES) == REPETITIONS
    return [
        Finding(
            "a write for each frame",
            "1 for each message and client, whatever the size of the room",
            1.0,
            1.0,
            [writes(SendsOneByOne, size) for size in SIZES],
            "writes per delivery",
        ),
        Finding(
            "a write for each turn of the loop",
            f"1 for each client and turn, so 1 / {WINDOW} for each message and client, whatever the size",
            1 / WINDOW,
            1 / WINDOW,
            [writes(Reference, size) for size in SIZES],
            "writes per delivery",
        ),
    ]


def writes(engine: Callable[[Ports, Limits], Hub], size: int) -> float:
    """Writes for each frame that was delivered in a room of `size`."""

    async def work() -> float:
        hub = await hub_of(engine, Limits(heartbeat=1e6))
        listeners = [Listener(f"client-{number}") for number in range(size)]
        for listener in listeners:
            listener.sit(hub, "tea")
        for _ in range(TURNS):
            for _ in range(WINDOW):
                hub.publish("tea", Frame(b"x" * 128))
            await asyncio.sleep(0.01)
        await hub.stop(0.0)
        return sum(one.writes for one in listeners) / sum(one.frames for one in listeners)

    return in_virtual_time(work)


FANOUT = Experiment(
    name="fanout",
    claim="A message costs its room as many writes as it has clients, or, under load, many times fewer.",
    prediction=(
        "the writes for a delivery do not depend on the size of the room: 1 if each frame is written by "
        "itself, 1/w if the w frames of one turn of the loop are written together"
    ),
    run=run,
    panel=Panel("chat", "Deliveries"),
    live=("lab load A2 --users 50",),
)
