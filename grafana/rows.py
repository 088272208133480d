"""The two rows that every challenge's dashboard starts with, and what their queries share."""

from layout import Line, Row
from panels import Panel, Query

ASKED = 'route!~"/(health|ready|metrics|lab/.*)"'
"""Requests of somebody: not of probes, scrapes and the lab's own switches."""
ANSWERED = 'route!~"/(health|ready|metrics|lab/.*)|.*/events"'
"""The same, without streams of events, which last as long as what they tell of."""
SHARED = "lab:.*|frontier"
"""Queues in Redis, of which every replica tells the same."""


def of(service: str) -> str:
    """The labels that choose a service's series of the chosen engines."""
    return f'service="{service}", engine=~"$engine"'


def rate(metric: str, labels: str, by: str) -> str:
    """What a counter grows by in a second, summed up by the labels `by`."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, labels: str, by: str) -> str:
    """A quantile of a histogram; no series where nothing was observed."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', labels, f'{by}, le')}) >= 0"


def mean(histogram: str, labels: str, by: str) -> str:
    """The mean of what a histogram observed; no series where that was nothing."""
    return f"{rate(f'{histogram}_sum', labels, by)} / ({rate(f'{histogram}_count', labels, by)} > 0)"


def red(service: str) -> Row:
    """Rate, errors, duration: what those who ask see."""
    labels = f"{of(service)}, {ASKED}"
    failed = f'{labels}, code=~"5.."'
    asked = rate("lab_requests_total", labels, "engine")
    traffic = Panel(
        "Requests",
        "Who asks for what; a flat line under more load means that the service, not its users, sets the pace.",
        "reqps",
        (Query(rate("lab_requests_total", labels, "engine, route"), "{{engine}} {{route}}"),),
    )
    errors = Panel(
        "Failed requests",
        "The share answered with 5xx: look at what rises with it, and what was switched on just before.",
        "percentunit",
        (
            Query(
                f"{rate('lab_requests_total', failed, 'engine')} / ({asked} > 0) or 0 * {asked}",
                "{{engine}}",
            ),
        ),
        by_engine=True,
    )
    answered = f"{of(service)}, {ANSWERED}"
    duration = Panel(
        "Time to answer",
        "Half of them are faster than p50, one in twenty is slower than p95: when only p95 rises, some wait.",
        "s",
        tuple(
            Query(quantile(share, "lab_request_seconds", answered, "engine"), f"{{{{engine}}}} {name}")
            for share, name in ((0.5, "p50"), (0.95, "p95"))
        ),
        by_engine=True,
        dashed="p95$",
    )
    return Row("Requests: rate, errors, duration", [Line(7, [traffic, errors, duration])])


def concurrency(service: str, *, locks: bool = True) -> Row:
    """What the workers do, what waits for them, and what it costs. From the ports, so for any engine.

    An engine that lives on one loop may need no locks.
    """
    waits = [_locks(service)] if locks else []
    return Row(
        "Concurrency",
        [
            Line(7, [_throughput(service), _busy(service), _queues(service), _wait(service)]),
            Line(7, [_in_flight(service), _loop(service), *waits, _switches(service)]),
        ],
    )


def _throughput(service: str) -> Panel:
    return Panel(
        "Tasks that ended",
        "Throughput of the engine's pools: does it still rise when more workers are busy?",
        "ops",
        (Query(rate("lab_tasks_total", of(service), "engine, outcome"), "{{engine}} {{outcome}}"),),
        by_engine=True,
        dashed="failed$",
    )


def _busy(service: str) -> Panel:
    labels = of(service)
    every = f"sum by (engine) (lab_workers{{{labels}}})"
    return Panel(
        "Busy workers",
        "The share of workers that have something to do: at 100 % more load only makes the queue longer.",
        "percentunit",
        (Query(f'sum by (engine) (lab_workers{{{labels}, state="busy"}}) / ({every} > 0)', "{{engine}}"),),
        maximum=1,
        by_engine=True,
    )


def _queues(service: str) -> Panel:
    depth = f'lab_queue_depth{{service="{service}", engine=~"$engine|"'
    shared = f'max by (engine, queue) ({depth}, queue=~"{SHARED}"}})'
    return Panel(
        "Queue depth",
        "What waits, in pools and streams: a line that climbs under steady load never comes down by itself.",
        "short",
        (Query(f"{shared} or sum by (engine, queue) ({depth}}})", "{{engine}} {{queue}}"),),
        decimals=0,
    )


def _wait(service: str) -> Panel:
    return Panel(
        "Wait beside run",
        "How long a task waits for a worker (dashed), and runs: where it waits longer, the pool is the limit.",
        "s",
        (Query(mean("lab_task_seconds", of(service), "engine, phase"), "{{engine}} {{phase}}"),),
        by_engine=True,
        dashed="wait$",
    )


def _in_flight(service: str) -> Panel:
    return Panel(
        "Tasks in flight",
        "Tasks running at the moment of each scrape: by Little's law, throughput times the time of one.",
        "short",
        (Query(f"sum by (engine) (lab_tasks_in_flight{{{of(service)}}})", "{{engine}}"),),
        decimals=0,
        by_engine=True,
    )


def _loop(service: str) -> Panel:
    return Panel(
        "Event loop lag, p99",
        "How late the loop wakes a timer: a spike is a call that blocks it, and everyone waits for that call.",
        "s",
        (Query(quantile(0.99, "lab_loop_lag_seconds", of(service), "engine"), "{{engine}}"),),
        by_engine=True,
    )


def _locks(service: str) -> Panel:
    return Panel(
        "Waits for locks",
        "Threads that stand at a contended lock, on average: at 1, one whole thread does nothing but queue.",
        "short",
        (Query(rate("lab_lock_wait_seconds_sum", of(service), "engine, lock"), "{{engine}} {{lock}}"),),
        by_engine=True,
    )


def _switches(service: str) -> Panel:
    return Panel(
        "Context switches",
        "Voluntary (dashed) when a thread waits; involuntary when more threads want to run than there are cores.",
        "ops",
        (Query(rate("lab_context_switches_total", of(service), "engine, kind"), "{{engine}} {{kind}}"),),
        by_engine=True,
        dashed=" voluntary$",
    )
