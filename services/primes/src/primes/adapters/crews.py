"""Which crew works, as the settings say, with its faults and its metrics around it."""

from collections.abc import Callable
from typing import Any

from lab_kit.faults import Faults
from lab_kit.metrics import EngineMetrics, Metrics
from primes.adapters.faults import FaultyCrew
from primes.adapters.kernels import available
from primes.adapters.memory import memory_board, sweep
from primes.adapters.processes import ProcessCrew
from primes.config import Settings
from primes.contract import Board, Crew, Job
from primes.metrics import CrewMetrics, InnerCrew, MeasuredCrew

__all__ = ["Crews"]


class Crews:
    """The ports `crew` and `board` of the live service. Celery is imported when it is to be used, not before."""

    def __init__(self, settings: Settings, metrics: Metrics, faults: Faults) -> None:
        self._settings, self._faults, self._shared = settings, faults, CrewMetrics(metrics)
        self._depth = metrics.queue_depth
        self._service = metrics.service
        self._hired: MeasuredCrew | None = None
        self._client: Any = None
        if settings.primes_crew == "processes":
            sweep()
            _require(settings.primes_kernel)

    @property
    def size(self) -> int:
        """How many workers the crew of the moment has, whether its engine asks for that or not."""
        return (self._hired.known or self._hired.present()) if self._hired else 0

    def hire(self, measured: EngineMetrics, engine: str) -> Crew:
        """A new crew for `engine`."""
        crew = MeasuredCrew(FaultyCrew(self._inner(), self._faults), self._shared, measured, engine)
        self._hired = crew
        self._depth.labels(self._service, engine, "orders").set_function(crew.waiting)
        return crew

    def board(self, job: Job, tiles: int) -> Board:
        """The board of `job`; when it is closed, the job's orders no longer count as waiting."""
        return _Watched(self._board(job, tiles), lambda: self._forget(job.id))

    def _forget(self, job_id: str) -> None:
        if self._hired:
            self._hired.forget(job_id)

    def _board(self, job: Job, tiles: int) -> Board:
        if self._settings.primes_crew == "processes":
            return memory_board(job, tiles)
        from primes.adapters.remote import RedisBoard

        return RedisBoard(self._redis(), job)

    def _inner(self) -> InnerCrew:
        if self._settings.primes_crew == "processes":
            settings = self._settings
            return ProcessCrew(
                settings.primes_workers, settings.primes_kernel, memory=settings.primes_process_memory
            )
        from primes.adapters.remote import CeleryCrew
        from primes.tasks import sender

        return CeleryCrew(self._redis(), sender(self._settings))

    def _redis(self) -> Any:
        from primes.adapters.remote import redis_client

        self._client = self._client or redis_client(self._settings.redis_url)
        return self._client


def _require(kernel: str) -> None:
    """Raise KernelUnavailable for one that cannot run here: its workers would end as soon as they begin.

    Nothing is loaded for `auto`, for there is always one.
    """
    if kernel != "auto":
        available(kernel)


class _Watched:
    """A board that says when it is let go."""

    def __init__(self, inner: Board, closed: Callable[[], object]) -> None:
        self._inner, self._closed = inner, closed
        self.name, self.read = inner.name, inner.read

    def close(self) -> None:
        self._inner.close()
        self._closed()

    def discard(self) -> None:
        self._inner.discard()
        self._closed()
