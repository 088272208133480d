"""How long somebody who vanished without a word is taken for present, against the heartbeat."""

import asyncio
import math
from random import Random

from chat.contract import Limits
from chat.engine import Hub as Reference
from chat.engine.heartbeat import CHECKS
from chat.experiments.stage import Listener, hub_of, in_virtual_time
from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory

__all__ = ["HEARTBEAT"]

PERIODS, PATIENCE, CLIENTS, HOURS = (5.0, 20.0, 60.0), 5.0, 50, 0.5
SIGMAS = 4.0  # how many standard deviations of a mean the prediction allows for chance


def run(laboratory: Laboratory) -> list[Finding]:
    """Let clients vanish at random moments; the mean time until the hub ends them, for three heartbeats."""
    laboratory.say(f"{CLIENTS} clients that vanish, with heartbeats of {PERIODS} s, in virtual time")
    return [_finding(period) for period in PERIODS]


def _finding(period: float) -> Finding:
    """A mean of uniform times: its standard deviation is h / sqrt(12 n)."""
    chance = SIGMAS * period / math.sqrt(12 * CLIENTS)
    mean, late = PATIENCE + period / 2, 2 * period / CHECKS
    return Finding(
        f"heartbeat {period:g} s",
        f"{PATIENCE:g} s + {period:g} s / 2 = {mean:g} s, give or take {chance:.1f} s of chance, and up to "
        f"{late:.1f} s more, for it looks {CHECKS} times in a heartbeat",
        mean - chance,
        mean + chance + late,
        [noticed(period, seed) for seed in range(REPETITIONS)],
        "s",
    )


def noticed(period: float, seed: int) -> float:
    """The mean time, in seconds, from the moment a client vanished to the moment it was ended."""
    random = Random(seed)

    async def work() -> float:
        loop, waited = asyncio.get_running_loop(), list[float]()
        hub = await hub_of(Reference, Limits(heartbeat=period, patience=PATIENCE))

        async def vanish(number: int) -> None:
            client = Listener(f"client-{number}")
            client.sit(hub, "tea")
            await asyncio.sleep(random.uniform(0, HOURS * 3600))
            client.answers, gone = False, loop.time()
            await client.closed.wait()
            waited.append(loop.time() - gone)

        await asyncio.gather(*(vanish(number) for number in range(CLIENTS)))
        await hub.stop(0.0)
        return sum(waited) / len(waited)

    return in_virtual_time(work)


HEARTBEAT = Experiment(
    name="heartbeat",
    claim="A shorter heartbeat notices sooner who has vanished.",
    prediction=(
        "who vanishes at a random moment was last heard between 0 and h seconds before; it is asked h seconds "
        "after that, and ended p seconds later: after p + h/2 on average, and never before p"
    ),
    run=run,
    panel=Panel("chat", "Connections and users"),
    live=("lab fault chat drop-connection=0.05", "lab fault chat off"),
)
