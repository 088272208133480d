"""What bounds the pace of one host: its rate, or its places and its latency."""

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive
from scraper.checks.web import Web
from scraper.contract import Limits
from scraper.experiments.stage import HOST, crawled

__all__ = ["PLACES"]

RATE, PLACES_OF_A_HOST, PAGES = 10.0, 4, 200
LATENCIES = (0.1, 0.8, 2.0)
ALLOWANCE = 0.05


def run(laboratory: Laboratory) -> list[Finding]:
    """One site, three latencies; requests a second once the burst is spent."""
    return [_finding(laboratory, latency) for latency in LATENCIES]


def _finding(laboratory: Laboratory, latency: float) -> Finding:
    laboratory.say(f"{PAGES} pages, {latency:g} s each")
    by_places = PLACES_OF_A_HOST / latency
    predicted = min(RATE, by_places)
    return Finding(
        f"latency {latency:g} s",
        f"min({RATE:g}, {PLACES_OF_A_HOST} / {latency:g} s = {by_places:g}) = {predicted:g}, give or take 5 %",
        predicted * (1 - ALLOWANCE),
        predicted * (1 + ALLOWANCE),
        [pace(latency * (1 + 0.002 * number)) for number in range(REPETITIONS)],
        "requests/s",
    )


def pace(latency: float) -> float:
    """Requests a second in the second half of a crawl. Raises Inconclusive if it did not end."""
    web = Web(latency)
    web.site(HOST, PAGES)
    limits = Limits(rate=RATE, burst=1, per_domain=PLACES_OF_A_HOST, workers=64)
    sent = [one.at for one in crawled(limits, web).requests(HOST)]
    if len(sent) != PAGES:
        raise Inconclusive(f"{len(sent)} of {PAGES} pages were asked for")
    half = sent[PAGES // 2 :]
    return (len(half) - 1) / (half[-1] - half[0])


PLACES = Experiment(
    name="places",
    claim="A fast host is crawled as fast as its rate allows; a slow one as its places allow, whatever the rate.",
    prediction="pace = min(rate, places / latency): Little's law (1961) for the places, the bucket for the rate",
    run=run,
    panel=Panel("scraper", "Requests, by host"),
    live=("lab fault scraper slow-network=2", "lab load A1 --users 10", "lab fault scraper off"),
)
