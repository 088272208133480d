"""T2, the log pipeline: the common rows, then what comes, what waits, what is written, and whether it adds up."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import concurrency, of, quantile, rate, red

SERVICE = "log-pipeline"
LABELS = of(SERVICE)
ANY = f'service="{SERVICE}"'


def log_pipeline() -> Dashboard:
    """The dashboard of the producer-consumer log processor."""
    return Dashboard(
        name=SERVICE,
        title="T2 · Producer-consumer log processor",
        text="Records from sockets, files, HTTP and Redis through one bounded queue of priorities.",
        rows=[
            red(SERVICE),
            concurrency(SERVICE),
            Row(
                "Records",
                [
                    Line(7, _flow()),
                    Line(7, _queue()),
                    Line(7, _sink()),
                    Line(7, _senders()),
                    Line(4, [_engine()]),
                ],
            ),
        ],
        engines=f'lab_engine_info{{service="{SERVICE}"}}',
        links=[("API", "http://127.0.0.1:8002/docs", "The routes of the log pipeline, at its default port")],
    )


def _flow() -> list[Panel]:
    places = "+".join(
        f"sum by (engine) (log_pipeline_{place}{{{LABELS}}})"
        for place in ("written_total", "dropped_total", "dead_total", "in_flight")
    )
    return [
        Panel(
            "Records in",
            "Accepted, by priority: when it falls while senders send more, the queue is full and slows them.",
            "ops",
            (
                Query(
                    rate("log_pipeline_accepted_total", LABELS, "engine, priority"), "{{engine}} {{priority}}"
                ),
            ),
        ),
        Panel(
            "Records out",
            "Written durably, by priority: under load the critical line follows its way in, the rest lags behind.",
            "ops",
            (
                Query(
                    rate("log_pipeline_written_total", LABELS, "engine, priority"), "{{engine}} {{priority}}"
                ),
            ),
        ),
        Panel(
            "The ledger: accepted, and accounted for",
            "Two sums that are one line while no record is lost or counted twice; a gap is what was lost.",
            "short",
            (
                Query(f"sum by (engine) (log_pipeline_accepted_total{{{LABELS}}})", "{{engine}} accepted"),
                Query(places, "{{engine}} in its places"),
            ),
            decimals=0,
            dashed="places$",
        ),
        Panel(
            "The ledger adds up",
            "The engine's own word that, at one moment, accepted = written + dropped + dead + in flight.",
            "short",
            (Query(f"min by (engine) (log_pipeline_balanced{{{LABELS}}})", "{{engine}}"),),
            by_engine=True,
            maximum=1,
        ),
    ]


def _queue() -> list[Panel]:
    return [
        Panel(
            "Records that wait, by priority",
            "Depth alone says little: a deep queue that moves is a buffer, one that ages is a jam.",
            "short",
            (Query(f"sum by (priority) (log_pipeline_waiting{{{LABELS}}})", "{{priority}}"),),
            decimals=0,
            stacked=True,
        ),
        Panel(
            "Age of the oldest that waits",
            "What a record waits before its write; with more than a second the service hires a consumer.",
            "s",
            (Query(f"max by (engine) (log_pipeline_age_seconds{{{LABELS}}})", "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Bytes in flight",
            "What is held in memory: it stops at the bound, and senders wait, however large single records are.",
            "bytes",
            (Query(f"sum by (engine) (log_pipeline_in_flight_bytes{{{LABELS}}})", "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Consumers",
            "Busy ones write: when all are and the queue still ages, the disk is the limit and no consumer helps.",
            "short",
            (Query(f"sum by (engine, state) (log_pipeline_consumers{{{LABELS}}})", "{{engine}} {{state}}"),),
            decimals=0,
        ),
    ]


def _sink() -> list[Panel]:
    return [
        Panel(
            "Time of one write",
            "Until it is durable: fewer and larger writes cost less each record, and let each one wait longer.",
            "s",
            tuple(
                Query(
                    quantile(share, "log_pipeline_write_seconds", LABELS, "engine"), f"{{{{engine}}}} {name}"
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            by_engine=True,
            dashed="p95$",
        ),
        Panel(
            "Writes, by outcome",
            "When the disk fails all wait; what is rejected is halved until the culprit is alone, and buried.",
            "ops",
            (Query(rate("log_pipeline_writes_total", LABELS, "engine, outcome"), "{{engine}} {{outcome}}"),),
        ),
        Panel(
            "Dropped and dead",
            "Records that will not be written, and why: a critical one is never dropped.",
            "ops",
            (
                Query(
                    rate("log_pipeline_dropped_total", LABELS, "engine, reason"),
                    "{{engine}} beyond: {{reason}}",
                ),
                Query(rate("log_pipeline_dead_total", LABELS, "engine"), "{{engine}} dead"),
            ),
        ),
        Panel(
            "Retries, and a sink that fails",
            "While it fails, each consumer asks ever more rarely; the queue fills, and then senders wait.",
            "ops",
            (
                Query(rate("log_pipeline_retries_total", LABELS, "engine"), "{{engine}} retries"),
                Query(f"max by (engine) (log_pipeline_failing{{{LABELS}}})", "{{engine}} fails"),
            ),
        ),
    ]


def _senders() -> list[Panel]:
    return [
        Panel(
            "Formats",
            "What the records are: a sender that changes its format shows here, and in raw when nobody knows it.",
            "ops",
            (Query(rate("log_pipeline_parsed_total", ANY, "format"), "{{format}}"),),
        ),
        Panel(
            "Oddities",
            "No text, no time, a time of the future, cut: kept as it came, and counted here.",
            "ops",
            (Query(rate("log_pipeline_oddities_total", ANY, "kind"), "{{kind}}"),),
        ),
        Panel(
            "Refused",
            "Found no room, from a sender that cannot be slowed: UDP under load, requests that waited in vain.",
            "ops",
            (Query(rate("log_pipeline_refused_total", ANY, "source"), "{{source}}"),),
        ),
        Panel(
            "Behind in Redis",
            "Entries not acknowledged yet, and those that a consumer has: with a full queue Redis holds the rest.",
            "short",
            (
                Query('max(lab_queue_depth{service="log-pipeline", queue="lab:logs"})', "lab:logs"),
                Query(f"sum by (consumer) (log_pipeline_redis_in_hand{{{ANY}}})", "in hand: {{consumer}}"),
            ),
            decimals=0,
        ),
    ]


def _engine() -> Panel:
    return Panel(
        "Engine that runs",
        "Which engine ran when: read every panel above this one with it.",
        "short",
        (Query(f'max by (engine) (lab_engine_info{{service="{SERVICE}"}})', "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "runs"},
    )
