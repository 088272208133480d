"""A1, the scraper: the common rows, then how politely it asks, and what it makes of hosts in trouble."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import concurrency, of, quantile, rate, red

LABELS = of("scraper")
BREAKER = {"0": "closed", "1": "half-open", "2": "open"}


def scraper() -> Dashboard:
    """The dashboard of the polite crawler."""
    return Dashboard(
        name="scraper",
        title="A1 · Polite web crawler",
        text="Many sites on one loop: a bucket, a breaker and a robots.txt for each. Overlay engines.",
        rows=[
            red("scraper"),
            concurrency("scraper"),
            Row(
                "Crawling",
                [
                    Line(7, _pace()),
                    Line(7, _trouble()),
                    Line(6, [_breakers()]),
                    Line(7, _work()),
                    Line(4, [_engine()]),
                ],
            ),
        ],
        engines='lab_engine_info{service="scraper"}',
        links=[("API", "http://127.0.0.1:8005/docs", "The routes of the scraper, at its default port")],
    )


def _pace() -> list[Panel]:
    return [
        Panel(
            "Requests, by host",
            "No line stays above the limit (dashed) for longer than a burst lasts.",
            "reqps",
            (
                Query(rate("scraper_host_requests_total", LABELS, "host"), "{{host}}"),
                Query(f"max(scraper_rate_limit{{{LABELS}}})", "limit"),
            ),
            dashed="^limit$",
        ),
        Panel(
            "Tokens left, by host",
            "A full bucket is a host that nobody waits for; one at zero sets the pace of its pages.",
            "short",
            (Query(f"min by (host) (scraper_host_tokens{{{LABELS}}})", "{{host}}"),),
        ),
        Panel(
            "Requests going on, by host",
            "At most four of each host: a slow host holds these, and no more of what there is in all.",
            "short",
            (Query(f"sum by (host) (scraper_host_in_flight{{{LABELS}}})", "{{host}}"),),
            decimals=0,
        ),
    ]


def _trouble() -> list[Panel]:
    return [
        Panel(
            "Requests sent, by outcome",
            "What the web answers: every line but 2xx and 3xx is trouble, and has its cost in the next panel.",
            "reqps",
            (Query(rate("scraper_requests_total", LABELS, "engine, outcome"), "{{engine}} {{outcome}}"),),
        ),
        Panel(
            "Repeated requests and probes",
            "Retries stay a fraction of the requests (their budget); a probe asks whether a host is well again.",
            "ops",
            (
                Query(rate("scraper_retries_total", LABELS, "engine"), "{{engine}} retries"),
                Query(rate("scraper_probes_total", LABELS, "engine"), "{{engine}} probes"),
            ),
            dashed="probes$",
        ),
        Panel(
            "Links given up, by reason",
            "Those for robots are obedience; the others are pages that a user misses.",
            "ops",
            (Query(rate("scraper_errors_total", LABELS, "engine, reason"), "{{engine}} {{reason}}"),),
        ),
    ]


def _breakers() -> Panel:
    return Panel(
        "Breakers, by host",
        "Open: nothing is sent; half-open: one probe; the fault host-down has a host alternate between the two.",
        "short",
        (Query(f"max by (host) (scraper_host_breaker{{{LABELS}}})", "{{host}}"),),
        kind="state-timeline",
        words=BREAKER,
    )


def _work() -> list[Panel]:
    return [
        Panel(
            "Links to be fetched",
            "The frontier: it grows while pages have more new links than are fetched, and ends at zero.",
            "short",
            (Query(f"max by (engine) (scraper_frontier_urls{{{LABELS}}})", "{{engine}}"),),
            by_engine=True,
            decimals=0,
        ),
        Panel(
            "Crawls by state",
            "Those that run share workers and hosts: a second crawl of the same host makes neither faster.",
            "short",
            (Query(f"max by (state) (scraper_crawls{{{LABELS}}})", "{{state}}"),),
            decimals=0,
            stacked=True,
        ),
        Panel(
            "Time of a request",
            "From sending to the whole body: what the web takes, without the wait for a token or a worker.",
            "s",
            tuple(
                Query(quantile(share, "scraper_fetch_seconds", LABELS, "engine"), f"{{{{engine}}}} {name}")
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            by_engine=True,
            dashed="p95$",
        ),
        Panel(
            "Bytes that arrive",
            "Decoded bodies; bodies that are no text are left at the server.",
            "Bps",
            (Query(rate("scraper_received_bytes_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
    ]


def _engine() -> Panel:
    return Panel(
        "Engine that runs",
        "Which engine ran when: read every panel above this one with it.",
        "short",
        (Query('max by (engine) (lab_engine_info{service="scraper"})', "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "runs"},
    )
