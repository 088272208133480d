"""The Celery side of M2: `python -m primes.tasks` is a worker. The engine's leases decide what is given again.

Celery's part is to bring orders, at least once. `acks_late` and `reject_on_worker_lost` return the order of a
process that died to the queue at once. What a whole worker had comes back after the visibility timeout, long after
the engine has given it to somebody else: by then it is on the board, or unwanted.
"""

import logging
import os
import shutil
import socket
import threading
from functools import cache, partial
from typing import Any

from celery import Celery, signals  # type: ignore[import-untyped]  # it has no types

from lab_kit.log import configure
from primes.adapters.confine import confine
from primes.adapters.kernels import choose
from primes.adapters.labour import Labour
from primes.adapters.remote import Telegraph, redis_client
from primes.adapters.scratch import scratch
from primes.config import Settings
from primes.core.wire import decode_order

__all__ = ["app", "main", "sender"]

QUEUE = "lab.primes"
FIRST, AGAIN = 3, 0  # Celery's priorities on Redis: the lowest number goes first
# Seconds, since a tile near 2^63 takes minutes, and must not be begun again meanwhile. The shortest of all apps on
# one broker wins, so it is set wherever it can be.
VISIBILITY = 3600.0
LOOK = 0.5  # seconds between two looks at whether all children live
MULTIPROC = "PROMETHEUS_MULTIPROC_DIR"


def make_app(settings: Settings) -> Celery:
    """Nothing is connected yet."""
    visibility = {"visibility_timeout": VISIBILITY}
    made = Celery("primes", broker=settings.redis_url, set_as_current=False)
    made.conf.update(
        task_default_queue=QUEUE,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=settings.primes_prefetch,
        worker_concurrency=settings.primes_workers,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            **visibility,
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "max_retries": 0,
        },
        result_backend_transport_options=visibility,
        visibility_timeout=VISIBILITY,
    )
    return made


app = make_app(Settings())


@app.task(name="primes.compute", bind=True)  # type: ignore[untyped-decorator]  # celery has no types
def compute(task: Any, order: dict[str, Any], deadly: bool = False) -> None:
    """One order. It comes at least once, so `Labour` looks first whether it is still wanted."""
    if task.request.delivery_info.get("redelivered"):
        _counters().redelivered()
    _labour().do(decode_order(order), deadly)


def sender(settings: Settings) -> Any:
    """What the service's crew sends orders with."""
    made = make_app(settings)

    def send(order: dict[str, Any], deadly: bool) -> None:
        priority = FIRST if order["attempt"] == 1 else AGAIN
        made.send_task("primes.compute", (order, deadly), retry=False, priority=priority)

    return send


def _host() -> str:
    return socket.gethostname()


@cache
def _counters() -> Any:
    from primes.adapters.exporter import WorkerMetrics

    return WorkerMetrics()


@cache
def _labour() -> Labour:
    """Made in each process by itself: neither connections nor threads survive a fork."""
    from billiard.process import current_process  # type: ignore[import-untyped]  # the same

    settings, counters = Settings(), _counters()
    confine(settings.primes_process_memory)
    name = f"{_host()}-{os.getppid()}-{getattr(current_process(), 'index', 0)}"
    telegraph = Telegraph(redis_client(settings.redis_url))
    kernel = partial(choose, settings.primes_kernel)
    return Labour(telegraph, kernel, name, settings.primes_attempts, counters.ended)


@signals.setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]  # the same
def _leave_logs_alone(**_: Any) -> None:
    """They are configured as those of every service; two lines for each tile would hide the rest."""
    for chatty in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


@signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]  # the same
def _begin(**_: Any) -> None:
    _counters().started()


@signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]  # the same
def _look_after_children(sender: Any, **_: Any) -> None:
    """Celery's pool misses a child that dies while it looks after another, and looks again after five seconds."""
    sender.hub.call_repeatedly(LOOK, sender.pool.maintain_pool)


def main() -> None:
    """A worker with its exporter: prometheus_client decides at import whether it counts for several processes."""
    settings = Settings()
    os.environ[MULTIPROC] = str(scratch("primes-metrics"))
    from primes.adapters.exporter import Exporter

    over = threading.Event()
    exporter = Exporter(settings, over)
    logs = configure("primes-worker", settings.log_level, settings.redis_url)
    try:
        exporter.start()
        signals.worker_ready.connect(exporter.join, weak=False)
        quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        level, name = settings.log_level.upper(), f"primes@{_host()}-{os.getpid()}"
        app.worker_main(["worker", "--loglevel", level, "--hostname", name, *quiet])
    finally:
        over.set()
        exporter.leave()
        logs.close()
        shutil.rmtree(os.environ[MULTIPROC], ignore_errors=True)


if __name__ == "__main__":
    main()
