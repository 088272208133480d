"""The pipeline's own metrics. What is written is counted at the sink port, for any engine alike."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lab_kit.metrics import Metrics
from log_pipeline.contract import Batch, Ledger, Priority, Reason, Rejected, Sink, SinkFailed, Stats
from log_pipeline.core.formats import FORMATS
from log_pipeline.core.sorting import ODDITIES, Sorted

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SOURCES = ("tcp", "udp", "http", "redis", "file")
OUTCOMES = ("written", "failed", "rejected", "buried")
MOST, LOOK_SECONDS = 20, 0.5


class IntakeMetrics:
    """What arrives, before any engine has it. Safe from any thread."""

    def __init__(self, metrics: Metrics) -> None:
        service = metrics.service
        formats = metrics.counter("log_pipeline_parsed", "Records parsed, by format", "format")
        oddities = metrics.counter("log_pipeline_oddities", "Records with something odd in them", "kind")
        refused = metrics.counter("log_pipeline_refused", "Records that found no room", "source")
        self._formats = {one: formats.labels(service, "", one) for one in FORMATS}
        self._oddities = {one: oddities.labels(service, "", one) for one in ODDITIES}
        self._refused = {one: refused.labels(service, "", one) for one in SOURCES}

    def arrived(self, found: Sorted) -> None:
        for name, count in found.formats.items():
            self._formats[name].inc(count)
        for name, count in found.oddities.items():
            self._oddities[name].inc(count)

    def refused(self, source: str, records: int) -> None:
        self._refused[source].inc(records)


class SinkMetrics:
    """The instruments of the sink port."""

    def __init__(self, metrics: Metrics) -> None:
        self._service = metrics.service
        self._writes = metrics.counter("log_pipeline_writes", "Calls of the sink, by outcome", "outcome")
        self._bytes = metrics.counter("log_pipeline_written_bytes", "Bytes made durable")
        self._seconds = metrics.histogram(
            "log_pipeline_write_seconds", "One write, until it is durable", SECONDS
        )

    def wrap(self, inner: Sink, engine: str) -> Sink:
        """`inner`, counted for `engine`; its label sets start at zero."""
        writes = {outcome: self._writes.labels(self._service, engine, outcome) for outcome in OUTCOMES}
        here = (self._service, engine)
        return _MeasuredSink(
            inner, writes, self._bytes.labels(*here).inc, self._seconds.labels(*here).observe
        )


class _MeasuredSink:
    def __init__(
        self,
        inner: Sink,
        writes: Mapping[str, Counter],
        count: Callable[[float], None],
        observe: Callable[[float], None],
    ) -> None:
        self._inner, self._writes, self._count, self._observe = inner, writes, count, observe
        self.abort = inner.abort

    def write(self, batches: Sequence[Batch]) -> None:
        start, outcome = time.perf_counter(), "failed"
        try:
            self._inner.write(batches)
            outcome = "written"
            self._count(sum(len(batch.payload) for batch in batches))
        except Rejected:
            outcome = "rejected"
            raise
        finally:
            self._writes[outcome].inc()
            self._observe(time.perf_counter() - start)

    def bury(self, batch: Batch, why: str) -> None:
        try:
            self._inner.bury(batch, why)
        except SinkFailed:
            self._writes["failed"].inc()
            raise
        self._writes["buried"].inc()


class GroupMetrics:
    """What each consumer of a group has in hand, of the first `MOST`; `own` is among them from the start."""

    def __init__(self, metrics: Metrics, own: str) -> None:
        self._service = metrics.service
        self._in_hand = metrics.gauge("log_pipeline_redis_in_hand", "Entries not acknowledged", "consumer")
        self._show(own, 0)

    async def watch(self, redis: Redis, stream: str, group: str) -> None:
        """Look for ever; the last known counts stand while Redis is away."""
        while True:
            with suppress(RedisError):
                for one in (await redis.xinfo_consumers(stream, group))[:MOST]:
                    self._show(one["name"], one["pending"])
            await asyncio.sleep(LOOK_SECONDS)

    def _show(self, consumer: str, entries: int) -> None:
        self._in_hand.labels(self._service, "", consumer).set(entries)


class EngineStats(Collector):
    """What the engine says of itself, read at each scrape, and whether it adds up."""

    def __init__(self, service: str, engine: Callable[[], str], stats: Callable[[], Stats]) -> None:
        self._service, self._engine, self._stats = service, engine, stats

    def collect(self) -> Iterator[Metric]:
        stats, names = self._stats(), ("service", "engine")
        here = (self._service, self._engine())
        for name, text, values in (
            ("log_pipeline_accepted", "Records accepted, by priority", stats.accepted),
            ("log_pipeline_written", "Records written, by priority", stats.written),
        ):
            family = CounterMetricFamily(name, text, labels=(*names, "priority"))
            _add(family, here, {priority.name.lower(): values.get(priority, 0) for priority in Priority})
            yield family
        yield from self._ledger(stats.ledger, here)
        waiting = GaugeMetricFamily("log_pipeline_waiting", "Records that wait", labels=(*names, "priority"))
        _add(waiting, here, {one.name.lower(): stats.waiting.get(one, 0) for one in Priority})
        yield waiting
        for name, text, value in (
            ("log_pipeline_in_flight_bytes", "Bytes waiting or being written", stats.bytes),
            ("log_pipeline_age_seconds", "Age of the oldest record that waits", stats.age),
            ("log_pipeline_failing", "1 while the sink takes nothing", stats.failing is not None),
        ):
            gauge = GaugeMetricFamily(name, text, labels=names)
            gauge.add_metric(here, float(value))
            yield gauge
        consumers = GaugeMetricFamily(
            "log_pipeline_consumers", "Consumers by state", labels=(*names, "state")
        )
        _add(consumers, here, {"busy": stats.busy, "idle": stats.consumers - stats.busy})
        yield consumers
        retries = CounterMetricFamily("log_pipeline_retries", "Writes tried again", labels=names)
        retries.add_metric(here, stats.retries)
        yield retries

    def _ledger(self, ledger: Ledger, here: tuple[str, str]) -> Iterator[Metric]:
        names = ("service", "engine")
        dropped = CounterMetricFamily("log_pipeline_dropped", "Records dropped", labels=(*names, "reason"))
        _add(dropped, here, {reason: ledger.dropped.get(reason, 0) for reason in Reason})
        dead = CounterMetricFamily("log_pipeline_dead", "Records that could not be written", labels=names)
        dead.add_metric(here, ledger.dead)
        in_flight = GaugeMetricFamily("log_pipeline_in_flight", "Records in flight", labels=names)
        in_flight.add_metric(here, ledger.in_flight)
        balanced = GaugeMetricFamily("log_pipeline_balanced", "1 while the ledger adds up", labels=names)
        balanced.add_metric(here, float(ledger.balanced))
        yield from (dropped, dead, in_flight, balanced)


def _add(
    family: CounterMetricFamily | GaugeMetricFamily, here: Sequence[str], values: Mapping[str, float]
) -> None:
    for label, value in values.items():
        family.add_metric((*here, label), value)
