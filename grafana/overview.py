"""The whole lab on one screen: health, traffic, queues, what is slow. Mostly from recording rules."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import ANSWERED, quantile

ENGINE = 'engine=~"$engine"'
OVERLAY = "{{service}} {{engine}}"
DOTS = {1.0: "green", 0.0: "red"}
REQUESTS = "sum(service_engine:lab_requests:rate10s)"
FAILED = "sum(service_engine:lab_request_errors:ratio10s * service_engine:lab_requests:rate10s)"


def overview() -> Dashboard:
    """The first dashboard, and Grafana's home."""
    return Dashboard(
        name="overview",
        title="Concurrency Lab",
        text="The whole system on one screen: what is down, how much comes in, where it waits, what is slow.",
        rows=[Row("", [Line(3, _now()), Line(6, _traffic()), Line(6, _work()), Line(6, _cost())])],
        engines="lab_engine_info",
        links=[("Alerts", "http://127.0.0.1:8040/alerts", "The alert rules, at Prometheus's default port")],
    )


def _now() -> list[Panel]:
    return [
        Panel(
            "Services",
            "Who answers to being scraped: a service that is down shows here before its users complain.",
            "short",
            (Query("service:up:min"),),
            kind="stat",
            width=9,
            words={"0": "down", "1": "up"},
            colours=DOTS,
        ),
        _number(
            "Requests",
            "All requests to all services: is there any load?",
            "reqps",
            f"{REQUESTS} or vector(0)",
        ),
        _number(
            "Failed",
            "The share of them answered with 5xx: above 1 % the error budget burns.",
            "percentunit",
            f"{FAILED} / ({REQUESTS} > 0) or vector(0)",
            {0.01: "red"},
        ),
        _number(
            "Waiting",
            "Everything that waits in a queue, anywhere: where, is in the panel below.",
            "short",
            "sum(service_queue:lab_queue_depth:sum)",
            {100: "orange"},
        ),
        _number(
            "Faults on",
            "How many faults are switched on now: before you look for a bug, look here.",
            "short",
            "count(count by (service, fault) (lab_fault > 0)) or vector(0)",
            {1: "red"},
        ),
        _number(
            "Alerts",
            "How many alerts fire now: Prometheus's own page says which, why, and where to look.",
            "short",
            'count(ALERTS{alertstate="firing"}) or vector(0)',
            {1: "red"},
        ),
    ]


def _number(title: str, text: str, unit: str, expr: str, colours: dict[float, str] | None = None) -> Panel:
    return Panel(title, text, unit, (Query(expr, title),), kind="stat", width=3, colours=colours or {})


def _traffic() -> list[Panel]:
    return [
        Panel(
            "Requests by service",
            "Throughput: compare it with the busy workers beside it; where they are full, it has stopped to rise.",
            "reqps",
            (Query(f"service_engine:lab_requests:rate10s{{{ENGINE}}}", OVERLAY),),
        ),
        Panel(
            "Busy workers",
            "The share of each engine's workers that have something to do: at 100 % more load only queues.",
            "percentunit",
            (Query(f"service_engine:lab_workers:busy_ratio{{{ENGINE}}}", OVERLAY),),
            maximum=1,
        ),
        Panel(
            "Failed requests",
            "The share answered with 5xx: red marks are faults, blue ones new engines; did one come just before?",
            "percentunit",
            (Query(f"service_engine:lab_request_errors:ratio10s{{{ENGINE}}}", OVERLAY),),
        ),
    ]


def _work() -> list[Panel]:
    return [
        Panel(
            "Queues",
            "What waits where: a queue that grows under steady load is where the system is too small.",
            "short",
            (Query("service_queue:lab_queue_depth:sum", "{{service}} {{queue}}"),),
            decimals=0,
        ),
        Panel(
            "Time to answer, p95",
            "One request in twenty is slower than this: it follows the queues beside it, a little later.",
            "s",
            (Query(f"service_engine:lab_request_seconds:p95_10s{{{ENGINE}}}", OVERLAY),),
        ),
        Panel(
            "Wait beside run",
            "How long a task waits for a worker (dashed), and runs: where it waits longer, the pool is the limit.",
            "s",
            (
                Query(
                    f"service_engine_phase:lab_task_seconds:mean10s{{{ENGINE}}}", f"{OVERLAY} {{{{phase}}}}"
                ),
            ),
            dashed="wait$",
        ),
    ]


def _cost() -> list[Panel]:
    slow = quantile(0.95, "lab_request_seconds", f"{ENGINE}, {ANSWERED}", "service, route")
    return [
        Panel(
            "Slowest routes, p95",
            "Where the time of those who ask goes, of all routes that somebody asked for just now.",
            "s",
            (Query(f"sort_desc(topk(6, {slow}))", "{{service}} {{route}}"),),
            kind="bargauge",
        ),
        Panel(
            "Threads that stand still",
            "How late event loops run (p99), and on the right the threads that queue for locks: both stay near 0.",
            "s",
            (
                Query("service:lab_loop_lag_seconds:p99_10s", "{{service}} loop lag"),
                Query("service:lab_lock_wait_seconds:rate10s", "{{service}} threads at locks"),
            ),
            axis={"threads at locks$": "short"},
        ),
        Panel(
            "Processor",
            "Cores in use: a service of threads that stays at 1 is held back by the interpreter's lock.",
            "short",
            (Query("service:process_cpu:cores10s"),),
            decimals=2,
        ),
        Panel(
            "Memory",
            "The share of what each service may have: a line that only climbs ends at 100 % with a kill.",
            "percentunit",
            (Query("service:process_resident_memory:limit_ratio"),),
            maximum=1,
        ),
    ]
