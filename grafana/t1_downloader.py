"""T1, the downloader: the common rows, then what the network does to it and what it makes of that."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import concurrency, of, quantile, rate, red

LABELS = of("downloader")


def downloader() -> Dashboard:
    """The dashboard of the thread-safe download manager."""
    return Dashboard(
        name="downloader",
        title="T1 · Thread-safe download manager",
        text="Many files over a network that drops, limits, lies and changes its mind. Overlay engines.",
        rows=[
            red("downloader"),
            concurrency("downloader"),
            Row(
                "Downloads",
                [Line(7, _transfer()), Line(7, _trouble()), Line(7, _recovery()), Line(4, [_engine()])],
            ),
        ],
        engines='lab_engine_info{service="downloader"}',
        links=[("API", "http://127.0.0.1:8001/docs", "The routes of the downloader, at its default port")],
    )


def _transfer() -> list[Panel]:
    sent = 'rate(origin_bytes_sent_total{service="origin"}[$__rate_interval])'
    done = f'{LABELS}, outcome="done"'
    return [
        Panel(
            "Bytes that arrive, beside bytes sent",
            "What the origin sends and the engine does not receive was for nothing: dropped, or asked for twice.",
            "Bps",
            (
                Query(rate("downloader_received_bytes_total", LABELS, "engine"), "{{engine}}"),
                Query(f"sum({sent})", "sent by the origin"),
            ),
            by_engine=True,
            dashed="^sent",
        ),
        Panel(
            "Downloads by state",
            "Waiting, at work, between two attempts: many in retrying hold no worker, and so block nobody.",
            "short",
            (Query(f"sum by (state) (downloader_downloads{{{LABELS}}})", "{{state}}"),),
            decimals=0,
            stacked=True,
        ),
        Panel(
            "Time to a whole file",
            "What a user waits, from acceptance to the last byte: it follows the queue of downloads.",
            "s",
            tuple(
                Query(
                    quantile(share, "downloader_download_seconds", done, "engine"), f"{{{{engine}}}} {name}"
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            by_engine=True,
            dashed="p95$",
        ),
    ]


def _trouble() -> list[Panel]:
    ok = rate("downloader_requests_total", f'{LABELS}, outcome=~"2xx|3xx"', "engine")
    every = rate("downloader_requests_total", LABELS, "engine")
    return [
        Panel(
            "Requests sent, by outcome",
            "What the network answers: every line but 2xx is trouble, and has its retry in the next panel.",
            "reqps",
            (Query(rate("downloader_requests_total", LABELS, "engine, outcome"), "{{engine}} {{outcome}}"),),
        ),
        Panel(
            "Retries, by reason",
            "Beside errors: fewer retries means giving up, as many patience, more a storm of its own making.",
            "ops",
            (Query(rate("downloader_retries_total", LABELS, "engine, reason"), "{{engine}} {{reason}}"),),
        ),
        Panel(
            "Requests in vain",
            "The share of requests that brought nothing: compare engines under the same fault.",
            "percentunit",
            (Query(f"1 - {ok} / ({every} > 0) or 0 * {every}", "{{engine}}"),),
            by_engine=True,
            maximum=1,
        ),
    ]


def _recovery() -> list[Panel]:
    return [
        Panel(
            "Bytes that need not come again",
            "Resumed from the disk after a pause, a lost connection or a kill: with none, every fault costs all.",
            "Bps",
            (Query(rate("downloader_resumed_bytes_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Starts from scratch",
            "Downloads that began anew: the file had become another one, as with the fault change-content.",
            "ops",
            (Query(rate("downloader_restarts_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Faults that fire at the origin",
            "What the web does to its visitors now: errors and retries above should follow it, and end with it.",
            "ops",
            (Query(f"{rate('lab_fault_fired_total', 'service="origin"', 'fault')} > 0", "{{fault}}"),),
        ),
    ]


def _engine() -> Panel:
    return Panel(
        "Engine that runs",
        "Which engine ran when: read every panel above this one with it.",
        "short",
        (Query('max by (engine) (lab_engine_info{service="downloader"})', "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "runs"},
    )
