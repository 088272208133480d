"""The origin's metrics (DESIGN §7): what it answered, sent, and broke."""

from collections.abc import Iterable
from functools import cache

from prometheus_client import GC_COLLECTOR, CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab.origin.faults import Faults

_HERE = ("origin", "")
_LABELS = ("service", "engine")
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_CODES = (200, 206, 302, 304, 400, 404, 416, 503)


class Metrics:
    """Instruments with a registry of their own, so that a process may hold several origins."""

    def __init__(self, faults: Faults, routes: Iterable[str]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(GC_COLLECTOR)
        registry.register(_FaultCollector(faults))
        requests = Counter("lab_requests", "HTTP requests", (*_LABELS, "route", "code"), registry=registry)
        seconds = Histogram(
            "lab_request_seconds", "Time to answer", (*_LABELS, "route"), buckets=_BUCKETS, registry=registry
        )
        self.sent = Counter("origin_bytes_sent", "Body bytes sent", _LABELS, registry=registry).labels(*_HERE)
        self.connections = Gauge("origin_connections", "Open connections", _LABELS, registry=registry).labels(
            *_HERE
        )
        self.in_flight = Gauge("lab_tasks_in_flight", "Requests in work", _LABELS, registry=registry).labels(
            *_HERE
        )
        self.request = cache(lambda route, code: requests.labels(*_HERE, route, str(code)))
        self.seconds = cache(lambda route: seconds.labels(*_HERE, route))
        for route in routes:
            self.seconds(route)
            for code in _CODES:
                self.request(route, code)


class _FaultCollector(Collector):
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def collect(self) -> Iterable[Metric]:
        labels = (*_LABELS, "fault")
        magnitude = GaugeMetricFamily("lab_fault", "Magnitude of a fault; 0 is off", labels=labels)
        fired = CounterMetricFamily("lab_fault_fired", "How often a fault fired", labels=labels)
        for name, facts in self._faults.describe().items():
            magnitude.add_metric((*_HERE, name), float(facts["magnitude"]))
            fired.add_metric((*_HERE, name), float(facts["fired"]))
        return magnitude, fired
