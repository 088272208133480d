"""A token bucket's promise: so many in any window, and no fewer in the long run."""

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive
from scraper.checks.web import Web
from scraper.contract import Limits
from scraper.experiments.stage import HOST, crawled

__all__ = ["BUCKET"]

RATE, BURST, WINDOW, PAGES = 2.0, 10, 5.0, 100
ALMOST = 1e-3  # seconds that adding up floats may lose


def run(laboratory: Laboratory) -> list[Finding]:
    """Crawl a site of 100 pages, each time at another latency; look at every window of five seconds."""
    laboratory.say(f"{PAGES} pages at {RATE:g} a second, {REPETITIONS} times")
    crawls = [times(latency=0.01 * (number + 1)) for number in range(REPETITIONS)]
    most, seconds = BURST + RATE * WINDOW, (PAGES + 1 - BURST) / RATE
    return [
        Finding(
            f"requests in the fullest {WINDOW:g} s",
            f"{BURST} + {RATE:g}/s x {WINDOW:g} s = {most:g}; the first page alone, and its latency, cost up to 2",
            most - 2,
            most,
            [float(fullest(one)) for one in crawls],
            "requests",
        ),
        Finding(
            f"seconds for {PAGES} pages and robots.txt",
            f"({PAGES + 1} - {BURST}) / {RATE:g} per s = {seconds:g}, and at most a second of latency",
            seconds - ALMOST,
            seconds + 1.0,
            [one[-1] - one[0] for one in crawls],
            "s",
        ),
    ]


def times(latency: float) -> list[float]:
    """When each request was sent. Raises Inconclusive if not all pages were asked for."""
    web = Web(latency)
    web.site(HOST, PAGES)
    limits = Limits(rate=RATE, burst=BURST, per_domain=32, ahead=64)
    sent = [one.at for one in crawled(limits, web).requests(HOST, robots=True)]
    if len(sent) != PAGES + 1:
        raise Inconclusive(f"{len(sent)} requests for {PAGES} pages")
    return sent


def fullest(sent: list[float]) -> int:
    """The most in any window, closed at both ends."""
    almost = WINDOW + ALMOST
    return max(sum(begin <= one <= begin + almost for one in sent) for begin in sent)


BUCKET = Experiment(
    name="bucket",
    claim="A token bucket lets a burst go at once, and never more than burst + rate x window.",
    prediction=(
        "in any s seconds at most burst + rate * s; n requests take (n - burst) / rate seconds (Turner, New "
        "Directions in Communications, 1986). A leaky bucket as a queue would send the burst one by one"
    ),
    run=run,
    panel=Panel("scraper", "Tokens left, by host"),
    live=("lab load A1 --users 10",),
)
