"""The downloader's own metrics. What crosses the network is counted at the port, for any engine alike."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import Counter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from downloader.contract import Response, State, Stats, TransferError, Transport
from lab_kit.metrics import Metrics

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
WAITING = (State.QUEUED, State.RETRYING)


class DownloadMetrics:
    """How long users wait, and how many downloads do, whatever engine runs."""

    def __init__(self, metrics: Metrics, engine: Callable[[], str], stats: Callable[[], Stats]) -> None:
        self._metrics, self._engine, self._stats = metrics, engine, stats
        self._seconds = metrics.histogram(
            "downloader_download_seconds", "From acceptance to the end", SECONDS, "outcome"
        )

    def begin(self, engine: str) -> None:
        """The series of `engine` start at zero."""
        for state in State:
            if state.final:
                self._seconds.labels(self._metrics.service, engine, state)
        depth = self._metrics.queue_depth.labels(self._metrics.service, engine, "downloads")
        depth.set_function(lambda: self._waiting(engine))

    def ended(self, outcome: State, seconds: float) -> None:
        self._seconds.labels(self._metrics.service, self._engine(), outcome).observe(seconds)

    def _waiting(self, engine: str) -> int:
        if engine != self._engine():
            return 0
        states = self._stats().states
        return sum(states.get(state, 0) for state in WAITING)


class TransportMetrics:
    """The counters of the transport port."""

    def __init__(self, metrics: Metrics) -> None:
        self._service = metrics.service
        self._requests = metrics.counter("downloader_requests", "Requests sent, by outcome", "outcome")
        self._bytes = metrics.counter("downloader_received_bytes", "Bytes of bodies that arrived")

    def wrap(self, inner: Transport, engine: str) -> Transport:
        """`inner`, counted for `engine`; its label sets start at zero."""
        outcomes = ("2xx", "3xx", "4xx", "5xx", *_reasons())
        requests = {outcome: self._requests.labels(self._service, engine, outcome) for outcome in outcomes}
        return _MeasuredTransport(inner, requests, self._bytes.labels(self._service, engine))


class _MeasuredTransport:
    def __init__(self, inner: Transport, requests: Mapping[str, Counter], received: Counter) -> None:
        self._inner, self._requests, self._received = inner, requests, received

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        try:
            response = self._inner.get(url, headers)
        except TransferError as error:
            self._requests[error.reason].inc()
            raise
        kind = min(response.status // 100, 5)  # what is above is treated as a 5xx (RFC 9110 §15)
        self._requests[f"{kind}xx"].inc()
        return _Counted(response, self._received)


class _Counted:
    def __init__(self, inner: Response, received: Counter) -> None:
        self._read, self._received = inner.readinto, received
        self.status, self.headers = inner.status, inner.headers
        self.abort, self.close = inner.abort, inner.close

    def readinto(self, buffer: memoryview) -> int:
        count = self._read(buffer)
        self._received.inc(count)
        return count


class EngineStats(Collector):
    """What the engine says of itself, read at each scrape."""

    def __init__(self, service: str, engine: Callable[[], str], stats: Callable[[], Stats]) -> None:
        self._service, self._engine, self._stats = service, engine, stats

    def collect(self) -> Iterator[Metric]:
        here, stats = (self._service, self._engine()), self._stats()
        names = ("service", "engine")
        downloads = GaugeMetricFamily("downloader_downloads", "Downloads by state", labels=(*names, "state"))
        for state, count in stats.states.items():
            downloads.add_metric((*here, state), count)
        retries = CounterMetricFamily("downloader_retries", "Retries by reason", labels=(*names, "reason"))
        for reason in _reasons():
            retries.add_metric((*here, reason), stats.retries.get(reason, 0))
        yield from (downloads, retries)
        for name, text, value in (
            ("downloader_restarts", "Downloads that had to start over", stats.restarts),
            (
                "downloader_resumed_bytes",
                "Bytes that were here after a restart",
                stats.bytes_resumed,
            ),
        ):
            counter = CounterMetricFamily(name, text, labels=names)
            counter.add_metric(here, value)
            yield counter


def _reasons() -> tuple[str, ...]:
    kinds, reasons = [TransferError], {TransferError.reason}
    while kinds:
        subclasses = kinds.pop().__subclasses__()
        kinds += subclasses
        reasons |= {kind.reason for kind in subclasses}
    return tuple(sorted(reasons))
