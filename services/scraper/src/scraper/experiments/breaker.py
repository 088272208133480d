"""What a dead host costs, with a breaker and without."""

from dataclasses import replace

from lab.experiments import REPETITIONS, Experiment, Finding, Panel
from lab.experiments.laboratory import Laboratory
from lab.grader import Inconclusive
from scraper.checks.web import Web
from scraper.contract import Crawler, Limits
from scraper.engine import Crawler as Reference
from scraper.experiments.stage import HOST, crawled
from scraper.mutants import NeverGivesIn

__all__ = ["BREAKER"]

PAGES = 300
LIMITS = Limits(rate=50.0, burst=50, breaker_seconds=5.0)


def run(laboratory: Laboratory) -> list[Finding]:
    """A site of 300 pages goes down after the first; count what is sent to it nevertheless."""
    laboratory.say(f"{PAGES} pages of a dead host, {REPETITIONS} times, with a breaker and without")
    calls, trips, places = LIMITS.breaker_calls, LIMITS.breaker_trips, LIMITS.per_domain
    retries = 10 + LIMITS.retry_budget * PAGES
    return [
        Finding(
            "with a breaker",
            f"{calls} calls open it, 2 of them may be well, {places - 1} are on their way, {trips} probes",
            calls - 2 + trips,
            calls + places - 1 + trips,
            [sent(Reference, number) for number in range(REPETITIONS)],
            "requests",
        ),
        Finding(
            "without one",
            f"{PAGES} pages once, and a retry budget of 10 + {LIMITS.retry_budget:g} x {PAGES} = {retries:g}",
            PAGES,
            PAGES + retries,
            [sent(NeverGivesIn, number) for number in range(REPETITIONS)],
            "requests",
        ),
    ]


def sent(engine: type[Crawler], number: int) -> float:
    """Requests that the dead host got after its first page. Raises Inconclusive if that never came."""
    web = Web(latency=0.02 * (number + 1))
    first = web.page(f"http://{HOST}/", *(f"/{page}" for page in range(PAGES)))
    web.robots(HOST, "")
    for url in (f"http://{HOST}/robots.txt", first):
        web.scripts[url].append(web.answers[url])
    web.down.add(HOST)
    asked = crawled(replace(LIMITS), web, engine).requests(HOST)
    if len(asked) < 2:
        raise Inconclusive("the first page, which has the links, was not fetched")
    return float(len(asked) - 1)


BREAKER = Experiment(
    name="breaker",
    claim="A circuit breaker makes the cost of a dead host a constant: its number of links does not matter.",
    prediction=(
        "with a breaker: the calls that open it, those on their way, and its probes (Nygard, Release It!, 2007); "
        "without: every link once, and the retry budget"
    ),
    run=run,
    panel=Panel("scraper", "Breakers, by host"),
    live=("lab fault scraper host-down=5", "lab load A1 --users 10", "lab fault scraper off"),
)
