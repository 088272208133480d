"""Retries with and without jitter: the real engine in a scripted world, where simulated time costs none.

Many downloads of one engine stand for many clients: each draws its own wait, as a client does.
"""

import math
from collections import Counter
from collections.abc import Callable
from random import Random

from downloader.checks.disk import Disk
from downloader.checks.web import Asked, Trouble, Web
from downloader.contract import DownloadManager, Job, Limits, Ports
from downloader.engine import DownloadManager as Reference
from downloader.mutants import NoJitter
from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive
from lab_kit.simulated import SimulatedClock, SimulatedPool

__all__ = ["JITTER"]

CLIENTS = 200
BASE, WINDOW = 2.0, 0.1  # seconds: the longest first wait; what a peak is counted in
WINDOWS = round(BASE / WINDOW)
UNLIKELY = 0.001  # how likely chance alone may exceed the prediction
type Build = Callable[[Ports, Limits], DownloadManager]


def run(laboratory: Laboratory) -> list[Finding]:
    """All clients fail at the same moment; count how many come back in the fullest tenth of a second."""
    laboratory.say(f"{CLIENTS} clients, {REPETITIONS} times, with and without jitter")
    together, mean, most = float(CLIENTS), CLIENTS / WINDOWS, likely_peak(CLIENTS, WINDOWS)
    return [
        Finding(
            "without jitter",
            f"each of {CLIENTS} waits {BASE:g} s: {CLIENTS} at once",
            together,
            together,
            [peak(NoJitter, seed) for seed in range(REPETITIONS)],
            "requests/100 ms",
        ),
        Finding(
            "with full jitter",
            f"{CLIENTS} x {WINDOW:g} s / {BASE:g} s = {mean:g} on average, so the fullest of {WINDOWS} windows "
            f"has no fewer, and with {1 - UNLIKELY:.1%} at most {most:g} (binomial)",
            mean,
            most,
            [peak(Reference, seed) for seed in range(REPETITIONS)],
            "requests/100 ms",
        ),
    ]


def peak(engine: Build, seed: int) -> float:
    """The most retries in a tenth of a second after all clients got a 503. Raises Inconclusive if they did not."""
    clock, pool = SimulatedClock(), SimulatedPool(seed)
    web = Web(clock)
    ports = Ports(clock=clock, executor=pool, transport=web, storage=Disk(), random=Random(seed))
    limits = Limits(workers=CLIENTS, per_host=CLIENTS, retry_base=BASE, checksum=False)
    manager = engine(ports, limits)
    manager.start([_job(web, number) for number in range(CLIENTS)])
    pool.run(clock)
    if web.fired["503"] != CLIENTS:
        raise Inconclusive(f"{web.fired['503']} of {CLIENTS} clients met an error")
    began = min(asked.at for asked in web.asked)
    windows = Counter(int((asked.at - began) / WINDOW) for asked in _retries(web))
    return float(max(windows.values(), default=0))


def likely_peak(clients: int, windows: int) -> float:
    """The fullest of `windows` among which `clients` choose by chance: more is as unlikely as UNLIKELY says.

    An upper bound: the chance that any window has more is at most the sum of their chances (Boole).
    """
    share = 1 / windows
    chances = [math.comb(clients, k) * share**k * (1 - share) ** (clients - k) for k in range(clients + 1)]
    return float(next(k for k in range(clients + 1) if windows * sum(chances[k + 1 :]) <= UNLIKELY))


def _job(web: Web, number: int) -> Job:
    url = web.put(f"http://files.lab.test/{number}", b"x")
    web.trouble(url, Trouble(status=503))
    return Job(url, destination=str(number))


def _retries(web: Web) -> list[Asked]:
    first = {asked.url: asked for asked in reversed(web.asked)}
    return [asked for asked in web.asked if asked is not first[asked.url]]


JITTER = Experiment(
    name="jitter",
    claim="When many clients fail at the same moment, jitter keeps them from coming back at the same moment.",
    prediction=(
        "without jitter all n clients come back together; with full jitter over b seconds, w seconds have "
        "n * w / b of them on average (Brooker, Exponential Backoff And Jitter, 2015)"
    ),
    run=run,
    panel=Panel("downloader", "Retries, by reason"),
    live=("lab fault origin error-rate=0.3", "lab load T1 --shape spike --users 50", "lab fault origin off"),
)
