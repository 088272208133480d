"""The chat's own metrics. What crosses a socket is counted at the port, for any hub alike."""

import asyncio
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chat.contract import Batch, Close, Stats
from lab_kit.metrics import EngineMetrics, Metrics

SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
CODES = {1000, 1003, 1007, *Close}
MOST_ANSWERS = 1000
LONGEST = 251  # a prime, so that no size of a room picks the same client each time
REFUSED = ("malformed", "forbidden", "unknown", "too_often", "unavailable", "too_large", "conflict")


type Values = dict[tuple[str, ...], int]


class WireMetrics:
    """The counters of the connections. Plain numbers on the way of each write, read at each scrape."""

    def __init__(self, metrics: Metrics, engine: Callable[[], str]) -> None:
        self._service, self._engine = metrics.service, engine
        self._tasks: EngineMetrics | None = None
        self._fan_out = metrics.histogram(
            "chat_fan_out_seconds", "From arrival to the socket, of a sample", SECONDS
        )
        self._client = metrics.histogram(
            "chat_client_seconds", "From sending to hearing oneself, at a client", SECONDS
        )
        self._closed = metrics.counter("chat_closed", "Connections that the service ended", "code")
        self._refused = metrics.counter("chat_refused", "Requests answered with an error", "reason")
        self.frames = self.bytes = self.messages = self.message_bytes = 0
        self.every, self._unseen = 1, 0
        self._unanswered, self._answers = 0, list[tuple[float, bool]]()
        self.held: Callable[[], int] = int

    def begin(self, engine: str, tasks: EngineMetrics) -> None:
        """The series of `engine` start at zero. Each message is a task: from its arrival to its
        acknowledgement."""
        self.settle()
        self._tasks = tasks
        tasks.in_flight.set_function(lambda: self._unanswered)
        here = (self._service, engine)
        self._took = self._fan_out.labels(*here).observe
        self._client.labels(*here)
        for code in CODES:
            self._closed.labels(*here, int(code))
        for reason in REFUSED:
            self._refused.labels(*here, reason)

    def received(self, size: int) -> None:
        self.messages += 1
        self.message_bytes += size

    def asked(self) -> None:
        """A message is on its way to the room's log."""
        self._unanswered += 1

    def answered(self, seconds: float, *, well: bool) -> None:
        """It has its place there, or not."""
        self._unanswered -= 1
        self._answers.append((seconds, well))
        if len(self._answers) >= MOST_ANSWERS:
            self.settle()

    def settle(self) -> None:
        """Let the registry know of the answers, many at a time: it takes a lock for each number."""
        answers, self._answers = self._answers, []
        if self._tasks:
            for seconds, well in answers:
                self._tasks.run.observe(seconds)
                self._tasks.outcomes["done" if well else "failed"].inc()

    def sample(self, clients: int) -> None:
        """With so many clients, the latency of one frame in `every` is observed: of all while there are few."""
        self.every = min(1 + clients // 2, LONGEST)

    def wrote(self, batch: Batch, clients: int) -> None:
        """To so many, no more than `every`."""
        self.frames += batch.frames * clients
        self.bytes += len(batch.data) * clients
        self._unseen += clients if batch.born else 0
        if self._unseen >= self.every:
            self._unseen = 0
            self._took(asyncio.get_running_loop().time() - batch.born)

    def heard_itself(self, seconds: float) -> None:
        self._client.labels(self._service, self._engine()).observe(seconds)

    def closed(self, code: int) -> None:
        known = code if code in CODES else 1000
        self._closed.labels(self._service, self._engine(), int(known)).inc()

    def refused(self, reason: str) -> None:
        known = reason if reason in REFUSED else "forbidden"
        self._refused.labels(self._service, self._engine(), known).inc()


class EngineStats(Collector):
    """What the engine says of itself and the wire has counted, read at each scrape."""

    def __init__(
        self,
        service: str,
        engine: Callable[[], str],
        stats: Callable[[], Stats],
        wire: WireMetrics,
        redis: Callable[[], tuple[bool, float]],
    ) -> None:
        self._service, self._engine, self._stats, self._wire, self._redis = (
            service,
            engine,
            stats,
            wire,
            redis,
        )

    def collect(self) -> Iterator[Metric]:
        here, stats, wire = (self._service, self._engine()), self._stats(), self._wire
        names, (connected, seconds) = ("service", "engine"), self._redis()
        for name, text, value in (
            ("chat_connections", "Clients connected", stats.connections),
            ("chat_users", "Users online here", stats.users),
            ("chat_rooms", "Rooms with somebody in them", stats.rooms),
            ("chat_slow_clients", "Clients for whom something waits", stats.slow),
            ("chat_queued_frames", "Frames that wait for slow clients", stats.queued_frames),
            ("chat_queued_bytes", "Bytes that wait for slow clients", stats.queued_bytes),
            (
                "chat_held_bytes",
                "Bytes that connections hold besides, until the network takes them",
                wire.held(),
            ),
            ("chat_redis_connected", "1 while Redis tells of the rooms", int(connected)),
            ("chat_redis_seconds", "What the last write to a room's log took", seconds),
        ):
            gauge = GaugeMetricFamily(name, text, labels=names)
            gauge.add_metric(here, value)
            yield gauge
        for name, text, value in (
            ("chat_messages", "Messages that came in", wire.messages),
            ("chat_message_bytes", "Bytes of them", wire.message_bytes),
            ("chat_deliveries", "Frames written to clients", wire.frames),
            ("chat_delivery_bytes", "Bytes of them", wire.bytes),
        ):
            yield _counter(name, text, names, {here: value})
        given_up: Values = {(*here, "typing"): stats.dropped, (*here, "presence"): stats.coalesced}
        yield _counter("chat_given_up", "Frames given up for slow clients", (*names, "kind"), given_up)
        ended: Values = {(*here, "slow"): stats.too_slow, (*here, "silent"): stats.silent}
        yield _counter("chat_ended", "Clients that the hub ended", (*names, "why"), ended)


def _counter(name: str, text: str, labels: tuple[str, ...], values: Values) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for where, value in values.items():
        family.add_metric(where, value)
    return family
