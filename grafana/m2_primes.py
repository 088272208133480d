"""M2, the prime calculator: the common rows, then how evenly work is spread and what becomes of dead workers."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import concurrency, of, quantile, rate, red

LABELS = of("primes")
WORKER = 'service="primes-worker"'


def primes() -> Dashboard:
    """The dashboard of the distributed prime calculator."""
    return Dashboard(
        name="primes",
        title="M2 · Distributed prime calculator",
        text="Tiles of a range, pulled by worker processes that may die. Overlay engines; kill a worker.",
        rows=[
            red("primes"),
            concurrency("primes"),
            Row(
                "Sharing the work",
                [Line(7, _sharing()), Line(7, _evenness())],
            ),
            Row("Workers that die", [Line(7, _deaths()), Line(7, _processes()), Line(4, [_engine()])]),
        ],
        engines='lab_engine_info{service="primes"}',
        links=[("API", "http://127.0.0.1:8004/docs", "The routes of the calculator, at its default port")],
    )


def _sharing() -> list[Panel]:
    return [
        Panel(
            "Tiles per second, by worker",
            "Who is slower takes fewer: lines may differ, as long as all workers end together.",
            "ops",
            (Query(rate("primes_tiles_total", LABELS, "engine, worker"), "{{engine}} {{worker}}"),),
            stacked=True,
        ),
        Panel(
            "Workers that compute, beside those there are",
            "Below the dashed line somebody waits: for an order, at the end of a job, or for nothing at all.",
            "short",
            (
                Query(rate("primes_busy_seconds_total", LABELS, "engine"), "{{engine}}"),
                Query(f"max by (engine) (primes_workers{{{LABELS}}})", "{{engine}} there are"),
            ),
            by_engine=True,
            dashed="there are$",
        ),
        Panel(
            "Jobs by state",
            "Many may run at the same time: tiles of all of them are given in turns.",
            "short",
            (Query(f"sum by (state) (primes_jobs{{{LABELS}}})", "{{state}}"),),
            decimals=0,
            stacked=True,
        ),
    ]


def _evenness() -> list[Panel]:
    done = f'{LABELS}, outcome="done"'
    return [
        Panel(
            "Speed-up, and what it could be",
            "Of the last job of many tiles: seconds computed in a second, below the number of its workers.",
            "short",
            (
                Query(f"max by (engine) (primes_speedup{{{LABELS}}})", "{{engine}}"),
                Query(f"max by (engine) (primes_speedup_ideal{{{LABELS}}})", "{{engine}} ideal"),
            ),
            by_engine=True,
            dashed="ideal$",
        ),
        Panel(
            "Imbalance",
            "How much longer the busiest worker of the last large job computed than the average: 0 is even.",
            "percentunit",
            (Query(f"max by (engine) (primes_imbalance{{{LABELS}}})", "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Time to an answer",
            "What a user waits, from acceptance to the end; it follows what else is asked at the same time.",
            "s",
            tuple(
                Query(quantile(share, "primes_job_seconds", done, "engine"), f"{{{{engine}}}} {name}")
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            by_engine=True,
            dashed="p95$",
        ),
    ]


def _deaths() -> list[Panel]:
    return [
        Panel(
            "Workers lost, and leases that expired",
            "Heard of, or only noticed by silence: each costs one attempt, and at most one tile computed twice.",
            "ops",
            (
                Query(rate("primes_lost_total", LABELS, "engine"), "{{engine}} lost"),
                Query(rate("primes_leases_expired_total", LABELS, "engine"), "{{engine}} expired"),
            ),
        ),
        Panel(
            "Orders given again",
            "After a loss, or delivered again by the queue: with none of them, a death would end the job.",
            "ops",
            (Query(rate("primes_redelivered_total", LABELS, "engine, reason"), "{{engine}} {{reason}}"),),
        ),
        Panel(
            "Tiles computed twice, and quarantined",
            "Twice is work for nothing; quarantined is a tile that took every worker with it.",
            "ops",
            (
                Query(rate("primes_again_total", LABELS, "engine"), "{{engine}} twice"),
                Query(rate("primes_quarantined_total", LABELS, "engine"), "{{engine}} quarantined"),
            ),
        ),
    ]


def _processes() -> list[Panel]:
    return [
        Panel(
            "Celery: orders by what became of them",
            "All processes of all workers; known and unwanted ones came again when the work was done.",
            "ops",
            (Query(rate("primes_worker_tiles_total", WORKER, "outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Celery: processes started, and orders that came again",
            "A process that starts in the middle of a job replaces one that died; its order comes again.",
            "ops",
            (
                Query(rate("primes_worker_processes_total", WORKER, "service"), "started"),
                Query(rate("primes_worker_redelivered_total", WORKER, "service"), "came again"),
            ),
        ),
        Panel(
            "Celery: time of a tile",
            "How long a process computes one tile: much longer than the way of an order, or the way decides.",
            "s",
            tuple(
                Query(quantile(share, "primes_worker_tile_seconds", WORKER, "service"), name)
                for share, name in ((0.5, "p50"), (0.95, "p95"))
            ),
            dashed="p95$",
        ),
    ]


def _engine() -> Panel:
    return Panel(
        "Engine that runs",
        "Which engine ran when: read every panel above this one with it.",
        "short",
        (Query('max by (engine) (lab_engine_info{service="primes"})', "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "runs"},
    )
