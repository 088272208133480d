"""M2's own metrics. What the crew does is counted at its port, for any engine alike."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from lab_kit.metrics import EngineMetrics, Metrics
from primes.contract import Happened, Job, Kind, Limits, News, Order, State, Stats, Status
from primes.core.plan import least
from primes.core.tally import imbalance

__all__ = ["OUTCOMES", "TILE_SECONDS", "EngineStats", "JobMetrics", "MeasuredCrew"]

JOB_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
TILE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
OUTCOMES = ("done", "known", "late", "unwanted", "failed", "poison")
WORKERS = 64  # labels; who comes after them is counted as `others`


class InnerCrew(Protocol):
    """A crew that also takes orders which kill."""

    def size(self) -> int: ...
    def present(self) -> int:
        """How many workers there are at this moment. From any thread; what cannot be asked counts as none."""

    def give(self, order: Order, deadly: bool = False) -> None: ...
    def news(self, timeout: float) -> Sequence[News]: ...
    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class JobMetrics:
    """How long users wait, and how well the last large job was spread, whatever engine runs."""

    def __init__(self, metrics: Metrics, limits: Limits, engine: Callable[[], str]) -> None:
        self._service, self._limits, self._engine = metrics.service, limits, engine
        self._seconds = metrics.histogram(
            "primes_job_seconds", "From acceptance to the end", JOB_SECONDS, "kind", "outcome"
        )
        self._imbalance = metrics.gauge("primes_imbalance", "Of the last large job")
        self._speedup = metrics.gauge("primes_speedup", "Of the last large job")
        self._ideal = metrics.gauge("primes_speedup_ideal", "The workers it had")

    def begin(self, engine: str) -> None:
        """The series of `engine` start at zero."""
        for kind in Kind:
            self._seconds.labels(self._service, engine, kind, State.DONE)
        for gauge in (self._imbalance, self._speedup, self._ideal):
            gauge.labels(self._service, engine).set(0)

    def ended(self, status: Status, seconds: float, workers: int) -> None:
        here = (self._service, self._engine())
        self._seconds.labels(*here, status.job.kind, status.state).observe(seconds)
        if status.state is State.DONE and self._large(status.job, workers) and status.seconds:
            self._imbalance.labels(*here).set(imbalance(status.busy))
            self._speedup.labels(*here).set(sum(status.busy.values()) / status.seconds)
            self._ideal.labels(*here).set(workers)

    def _large(self, job: Job, workers: int) -> bool:
        """Whether each worker could have several tiles, whatever the engine has made of it."""
        return job.hi - job.lo >= 4 * max(1, workers) * least(job.hi, self._limits)


class CrewMetrics:
    """The instruments of the crew port, shared by all engines."""

    def __init__(self, metrics: Metrics) -> None:
        self.service = metrics.service
        self.tiles = metrics.counter("primes_tiles", "Tiles computed, by worker", "worker")
        self.busy = metrics.counter("primes_busy_seconds", "Time that workers computed", "worker")
        self.redelivered = metrics.counter(
            "primes_redelivered", "Orders given again, by what was wrong", "reason"
        )
        self.size = metrics.gauge("primes_workers", "Workers that the crew has now")


class MeasuredCrew:
    """A crew whose orders are the tasks of the common metrics: they wait, run, end, and show on the timeline."""

    def __init__(self, inner: InnerCrew, shared: CrewMetrics, measured: EngineMetrics, engine: str) -> None:
        self._inner, self._shared, self._measured = inner, shared, measured
        self._labels = (shared.service, engine)
        self._given: dict[Order, float] = {}
        self._begun: dict[Order, float] = {}
        self._wanted: set[str] = set()
        self._names: set[str] = set()
        self._reasons = {
            reason: shared.redelivered.labels(*self._labels, reason) for reason in ("lost", "again")
        }
        self.known = 0
        self.interrupt, self.present = inner.interrupt, inner.present
        self._watch(inner.present)

    def _watch(self, present: Callable[[], int]) -> None:
        """Workers come and go when no engine asks, too: so they are counted at each scrape."""
        self._shared.size.labels(*self._labels).set_function(present)
        self._measured.idle.set_function(lambda: max(0, present() - len(self._begun)))

    def size(self) -> int:
        self.known = self._inner.size()
        return self.known

    def waiting(self) -> int:
        """Orders that nobody has begun, as far as is known."""
        return len(self._given)

    def forget(self, job_id: str) -> None:
        """Nobody wants the orders of this job any more, nor listens to what becomes of those that have begun."""
        self._wanted.discard(job_id)
        for order in [order for order in self._given if order.job == job_id]:
            del self._given[order]
        for order in [order for order in self._begun if order.job == job_id]:
            self._end(order, "cancelled", "", 0.0)

    def give(self, order: Order, deadly: bool = False) -> None:
        self._inner.give(order, deadly)
        self._given[order] = time.time()
        self._wanted.add(order.job)
        if order.attempt > 1:
            self._reasons["lost"].inc()
            self._end(replace(order, attempt=order.attempt - 1), "failed", "", 0.0)  # unheard, so far

    def news(self, timeout: float) -> Sequence[News]:
        found = self._inner.news(timeout)
        for news in found:
            self._note(news)
        return found

    def close(self) -> None:
        self._inner.close()
        for order in list(self._begun):
            self._end(order, "failed", "", 0.0)
        self._given.clear()
        self._watch(lambda: 0)
        self.known = 0

    def _note(self, news: News) -> None:
        if news.happened is Happened.BEGAN:
            self._begin(news.order)
        elif news.happened is Happened.DONE:
            self._end(news.order, "done", news.worker, news.seconds)
        elif news.happened in (Happened.LOST, Happened.FAILED):
            self._end(news.order, "failed", news.worker, 0.0)

    def _begin(self, order: Order) -> None:
        if order.job not in self._wanted:
            return
        given = self._given.pop(order, None)
        if given is None:
            return self._reasons["again"].inc()
        self._begun[order] = time.time()
        self._measured.wait.observe(time.time() - given)
        self._measured.began()

    def _end(self, order: Order, outcome: str, worker: str, seconds: float) -> None:
        self._given.pop(order, None)
        began = self._begun.pop(order, None)
        if began is None:
            return
        self._measured.ended(outcome, time.time() - began)
        if worker:
            name = self._named(worker)
            self._measured.timeline.add("tile", order.job, "run", began, name)
            self._shared.tiles.labels(*self._labels, name).inc()
            self._shared.busy.labels(*self._labels, name).inc(seconds)

    def _named(self, worker: str) -> str:
        """Bounded: containers that come and go have new names each time."""
        if worker not in self._names and len(self._names) >= WORKERS:
            return "others"
        self._names.add(worker)
        return worker


class EngineStats(Collector):
    """What the engine says of itself, read at each scrape."""

    def __init__(self, service: str, engine: Callable[[], str], stats: Callable[[], Stats]) -> None:
        self._service, self._engine, self._stats = service, engine, stats

    def collect(self) -> Iterator[Metric]:
        here, stats, names = (self._service, self._engine()), self._stats(), ("service", "engine")
        jobs = GaugeMetricFamily("primes_jobs", "Jobs by state", labels=(*names, "state"))
        for state, count in stats.states.items():
            jobs.add_metric((*here, state), count)
        yield jobs
        for name, text, value in (
            ("primes_counted", "Tiles that were counted", stats.tiles),
            ("primes_again", "Tiles that were computed again", stats.again),
            ("primes_lost", "Attempts whose worker died, and was heard to", stats.lost),
            ("primes_leases_expired", "Attempts of which nothing was heard any more", stats.expired),
            ("primes_quarantined", "Tiles that are given to nobody else", stats.quarantined),
        ):
            counter = CounterMetricFamily(name, text, labels=names)
            counter.add_metric(here, value)
            yield counter
