"""Throughput against workers, under latency: the real service, a real origin that takes its time."""

from statistics import median

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory, Running
from lab.grader import Inconclusive

__all__ = ["WORKERS"]

LATENCY = 0.2  # seconds that the origin waits before each answer
COUNTS = (2, 8, 32)
WAVES = 4  # downloads for each worker
ALONE = 40  # downloads to find out what one costs without latency
ALLOWANCE = 0.1  # of the prediction, for timers that wake late and cores that are shared
FILE = "http://files.lab.test/files/1KiB"


def run(laboratory: Laboratory) -> list[Finding]:
    """Predict from one worker without latency what many achieve with it; then measure that."""
    cost = _cost(laboratory)
    laboratory.origin.set_faults(latency_fixed=LATENCY)
    return [_finding(laboratory, workers, cost) for workers in COUNTS]


def _cost(laboratory: Laboratory) -> float:
    """Seconds that a download takes where nothing has to be waited for."""
    with laboratory.service(downloader_workers=1) as service:
        laboratory.say("what a download costs without latency")
        return median(1 / _rate(laboratory, service, 1, ALONE, f"alone-{n}") for n in range(REPETITIONS))


def _finding(laboratory: Laboratory, workers: int, cost: float) -> Finding:
    slowest, fastest = workers / (LATENCY + workers * cost), workers / (LATENCY + cost)
    waits, costs = f"{workers} / ({LATENCY:g} s +", f"{1000 * cost:.1f} ms)"
    return Finding(
        what=f"{workers} workers",
        formula=(
            f"{waits} {costs} = {fastest:.1f}, or by turns {waits} {workers} x {costs} = {slowest:.1f}, "
            f"give or take {ALLOWANCE:.0%}"
        ),
        low=slowest * (1 - ALLOWANCE),
        high=fastest * (1 + ALLOWANCE),
        measured=_measured(laboratory, workers),
        unit="downloads/s",
    )


def _measured(laboratory: Laboratory, workers: int) -> list[float]:
    count, before, rates = WAVES * workers, laboratory.origin.fired("latency-fixed"), list[float]()
    with laboratory.service(downloader_workers=workers, downloader_per_host=workers) as service:
        for number in range(REPETITIONS):
            laboratory.say(f"{workers} workers, {number + 1} of {REPETITIONS}")
            rates.append(_rate(laboratory, service, workers, count, f"{workers}-{number}"))
    fired = laboratory.origin.fired("latency-fixed") - before
    if fired < REPETITIONS * count:
        raise Inconclusive(f"only {fired} of {REPETITIONS * count} downloads met the latency")
    return rates


def _rate(laboratory: Laboratory, service: Running, workers: int, count: int, name: str) -> float:
    """Downloads a second, from the end of the first wave to the end of the last."""
    wanted = [{"url": f"{FILE}/{name}-{number}"} for number in range(count)]
    ids = {accepted["id"] for accepted in service.ask("POST", "/v1/downloads", wanted)}

    def ended() -> list[float]:
        page = service.ask("GET", "/v1/downloads?limit=1000")["items"]
        ends = [record["finished"] for record in page if record["id"] in ids and record["state"] == "done"]
        return sorted(ends) if all(ends) and len(ends) == count else []

    ends = laboratory.until(ended, f"{count} downloads were not done")
    return (count - workers) / (ends[-1] - ends[workers - 1])


WORKERS = Experiment(
    name="workers",
    claim="While downloads mostly wait for the server, throughput grows with the workers.",
    prediction=(
        "throughput = workers / (latency + cost of a download), Little (1961): all wait for the latency at the "
        "same time. If they have to take turns for the rest, it is workers / (latency + workers * cost) "
        "(Lazowska et al., Quantitative System Performance, 1984, chapter 5)"
    ),
    run=run,
    panel=Panel("downloader", "Busy workers"),
    live=("lab fault origin latency-fixed=0.2", "lab load T1 --users 50", "lab fault origin off"),
)
