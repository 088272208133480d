"""The metrics that every service has, filled from its ports and never by the engine's cooperation."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psutil
import structlog
from prometheus_client import (
    GC_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lab_kit.faults import Faults
from lab_kit.streams import lag
from lab_kit.timeline import Timeline

# A second series for every counter, which no panel asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the client does not annotate it

log = structlog.get_logger(__name__)
OUTCOMES = ("done", "failed", "cancelled")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SHORT = (0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1)


class Metrics:
    """The common metrics of one service, in a registry of their own (`registry`)."""

    def __init__(self, service: str) -> None:
        self.service, self.registry, self._names = service, CollectorRegistry(), set[str]()
        ProcessCollector(registry=self.registry)
        self.registry.register(GC_COLLECTOR)
        self.requests = self.counter("lab_requests", "HTTP requests", "route", "code")
        self.request_seconds = self.histogram("lab_request_seconds", "Time to answer", SECONDS, "route")
        self.tasks = self.counter("lab_tasks", "Tasks that ended", "outcome")
        self.task_seconds = self.histogram("lab_task_seconds", "Waiting for a worker; run", SECONDS, "phase")
        self.in_flight = self.gauge("lab_tasks_in_flight", "Tasks running now")
        self.queue_depth = self.gauge("lab_queue_depth", "Items waiting", "queue")
        self.workers = self.gauge("lab_workers", "Workers of the engine's pools", "state")
        self.lock_wait = self.histogram("lab_lock_wait_seconds", "Waits for contended locks", SHORT, "lock")
        self.loop_lag = self.histogram("lab_loop_lag_seconds", "How late the event loop runs", SHORT)

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, ("service", "engine", *labels), registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, ("service", "engine", *labels), registry=self.registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        labelled = ("service", "engine", *labels)
        return Histogram(name, text, labelled, buckets=buckets, registry=self.registry)

    def bounded(self, name: str) -> str:
        """`name` as a label: an engine may give each lock another, and beyond fifty they are `others`."""
        if len(self._names) < 50:
            self._names.add(name)
        return name if name in self._names else "others"

    def of(self, engine: str, timeline: Timeline) -> "EngineMetrics":
        """The instruments of one engine's ports; its label sets start at zero."""
        return EngineMetrics(self, engine, timeline)

    async def watch_loop(self, engine: Callable[[], str], period: float = 0.25) -> None:
        """Observe for ever how much later than asked the event loop wakes this coroutine."""
        while True:
            due = time.perf_counter() + period
            await asyncio.sleep(period)
            lag = max(0.0, time.perf_counter() - due)
            self.loop_lag.labels(self.service, engine()).observe(lag)

    async def watch_stream(self, redis: Redis, stream: str, group: str, period: float = 2.0) -> None:
        """Show for ever how many entries of `stream` the `group` has not acknowledged."""
        depth = self.queue_depth.labels(self.service, "", stream)
        while True:
            with suppress(RedisError):  # the last known depth stands while Redis is away
                behind = await lag(redis, stream, group)
                depth.set((behind.lag or 0) + behind.pending)
            await asyncio.sleep(period)


class Unbroken(Collector):
    """What `inner` collects. While that raises, as an engine may that its learner still writes, nothing, and the
    log says so once: the other metrics go on."""

    def __init__(self, inner: Collector) -> None:
        self._inner, self._broken = inner, False

    def collect(self) -> Iterable[Metric]:
        try:
            found = list(self._inner.collect())
        except Exception:
            if not self._broken:
                log.exception("the engine cannot say how it is, so its own metrics are missing")
            self._broken = True
            return ()
        self._broken = False
        return found


class EngineMetrics:
    """An executor and a lock factory for one engine, measured, safe from any thread. Tasks: `coroutines`."""

    def __init__(self, metrics: Metrics, engine: str, timeline: Timeline) -> None:
        labels = (metrics.service, engine)
        self.timeline = timeline
        self.outcomes = {outcome: metrics.tasks.labels(*labels, outcome) for outcome in OUTCOMES}
        self.wait = metrics.task_seconds.labels(*labels, "wait")
        self.run = metrics.task_seconds.labels(*labels, "run")
        self.in_flight = metrics.in_flight.labels(*labels)
        self.busy = metrics.workers.labels(*labels, "busy")
        self.idle = metrics.workers.labels(*labels, "idle")
        self._labels, self._metrics = labels, metrics

    def began(self) -> None:
        self.in_flight.inc()
        self.busy.inc()
        self.idle.dec()

    def ended(self, outcome: str, seconds: float) -> None:
        self.in_flight.dec()
        self.busy.dec()
        self.idle.inc()
        self.outcomes[outcome].inc()
        self.run.observe(seconds)

    def executor(self, name: str, workers: int) -> Executor:
        """The executor port: a thread pool whose tasks, waits and workers are counted."""
        depth = self._metrics.queue_depth.labels(*self._labels, self._metrics.bounded(name))
        return _MeasuredPool(name, workers, self, depth)

    def lock(self, name: str) -> "_MeasuredLock":
        """The lock port: a lock that observes how long a contended `acquire` waited."""
        return _MeasuredLock(self.waited(name))

    def waited(self, name: str) -> Histogram:
        """Where waits for the lock `name` are observed."""
        return self._metrics.lock_wait.labels(*self._labels, self._metrics.bounded(name))


class _MeasuredPool(ThreadPoolExecutor):
    def __init__(self, name: str, workers: int, metrics: EngineMetrics, depth: Gauge) -> None:
        super().__init__(workers, thread_name_prefix=name)
        self._name, self._size, self._metrics, self._depth = name, workers, metrics, depth
        metrics.idle.inc(workers)
        depth.set(0)

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        queued = time.time()
        self._depth.inc()

        def measured() -> T:
            self._depth.dec()
            self._metrics.wait.observe(time.time() - queued)
            self._metrics.timeline.add(self._name, "", "wait", queued)
            return self._run(lambda: fn(*args, **kwargs))

        try:
            future = super().submit(measured)
        except RuntimeError:
            self._depth.dec()
            raise
        future.add_done_callback(self._ended)
        return future

    def _ended(self, future: Future[Any]) -> None:
        if future.cancelled():
            self._depth.dec()
            self._metrics.outcomes["cancelled"].inc()

    def _run[T](self, task: Callable[[], T]) -> T:
        metrics, start, outcome = self._metrics, time.time(), "failed"
        metrics.began()
        try:
            result = task()
            outcome = "done"
            return result
        finally:
            metrics.ended(outcome, time.time() - start)
            metrics.timeline.add(self._name, "", "run", start)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._metrics.idle.dec(self._size)
        self._size = 0


class _MeasuredLock:
    def __init__(self, waited: Histogram) -> None:
        self._lock, self._waited = threading.Lock(), waited
        self.release, self.locked = self._lock.release, self._lock.locked

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        if not blocking:
            return False
        start = time.perf_counter()
        acquired = self._lock.acquire(timeout=timeout)
        self._waited.observe(time.perf_counter() - start)
        return acquired

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()


class ProcessFacts(Collector):
    """The engine that runs, threads, context switches and fault magnitudes, read at each scrape."""

    def __init__(self, service: str, engine: Callable[[], str], faults: Faults) -> None:
        self._service, self._engine, self._faults = service, engine, faults
        self._process = psutil.Process()

    def collect(self) -> Iterator[Metric]:
        here, names = (self._service, self._engine()), ("service", "engine")
        switches = CounterMetricFamily("lab_context_switches", "Of this process", labels=(*names, "kind"))
        for kind, count in self._process.num_ctx_switches()._asdict().items():
            switches.add_metric((*here, kind), count)
        threads = GaugeMetricFamily("lab_threads", "Threads of this process", labels=names)
        threads.add_metric(here, self._process.num_threads())
        faults = GaugeMetricFamily("lab_fault", "Magnitude of a fault", labels=(*names, "fault"))
        for name in self._faults.describe():
            faults.add_metric((*here, name), self._faults.magnitude(name))
        info = GaugeMetricFamily("lab_engine_info", "1 for the engine that runs", labels=names)
        info.add_metric(here, 1)
        yield from (switches, threads, faults, info)
