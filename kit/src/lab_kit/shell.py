"""The HTTP face that every service shares: health, readiness, metrics, engine, faults, timeline."""

import asyncio
import gc
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab_kit.engines import EngineHost, EngineUnavailable
from lab_kit.faults import Faults, UnknownFault
from lab_kit.metrics import Metrics, ProcessFacts
from lab_kit.problems import install_problems, problem
from lab_kit.settings import ServiceSettings
from lab_kit.timeline import Timeline
from lab_kit.watchdog import Watchdog, reason_of_start, start_again

READY_SECONDS = 1.0
KEEP_ALIVE = 75  # seconds; longer than clients keep theirs, so none sends into a connection that just closes
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Service:
    """The parts of a service. `tasks` run beside the engine, until it has been drained."""

    name: str
    settings: ServiceSettings
    metrics: Metrics
    host: EngineHost[Any]
    faults: Faults
    timeline: Timeline
    routes: Sequence[APIRouter] = ()
    statuses: Mapping[type[Exception], int] = field(default_factory=dict)
    dependencies: Mapping[str, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    tasks: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()


def _nothing(error: BaseException) -> None: ...


class EngineName(BaseModel):
    model_config = ConfigDict(extra="forbid")
    engine: str


class Magnitudes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    faults: dict[str, float]


def create_app(service: Service, failed: Callable[[BaseException], object] = _nothing) -> FastAPI:
    """The application. At its end it drains the engine for `lab_grace` seconds, if nobody did before.

    An error that ends one of the tasks, which are meant to run for ever, ends `/ready`, and `failed` is told.
    """
    failures: list[BaseException] = []

    def look_at(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error:
            log.error("a task of the service ended", exc_info=error)
            failures.append(error)
            failed(error)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.host.start()
        watchdog = Watchdog(lambda: "mine" in (service.host.name, service.host.coming), start_again)
        background = watchdog.run(), service.metrics.watch_loop(lambda: service.host.name)
        running = [asyncio.create_task(task) for task in (*background, *(task() for task in service.tasks))]
        for task in running:
            task.add_done_callback(look_at)
        try:
            yield
        finally:
            await service.host.stop(service.settings.lab_grace)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    app = FastAPI(title=service.name, lifespan=life)
    install_problems(app, {UnknownFault: 422, EngineUnavailable: 422, **service.statuses})
    service.metrics.registry.register(ProcessFacts(service.name, lambda: service.host.name, service.faults))
    for router in (_common_routes(service, failures), *service.routes):
        app.include_router(router)
    app.add_middleware(_Measured, service=service)
    return app


class _Server(uvicorn.Server):
    """Drains while it still answers, so that `/ready` can say so and progress can be watched."""

    def __init__(self, service: Service) -> None:
        where, app = service.settings, create_app(service, self.fail)
        super().__init__(
            uvicorn.Config(app, host=where.host, port=where.port, log_config=None, access_log=False,
                           timeout_graceful_shutdown=1, timeout_keep_alive=KEEP_ALIVE)
        )  # fmt: skip
        self._service = service
        self.failure: BaseException | None = None

    def fail(self, error: BaseException) -> None:
        """End as if asked to; whoever started the process starts it again."""
        self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.host.stop(self._service.settings.lab_grace)
        await super().shutdown(sockets)


def serve(service: Service) -> None:
    """Run until SIGTERM or SIGINT, then drain; returns after a clean end. Raises what ended a task."""
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again when it has ended
        signal.signal(ending, lambda number, frame: None)
    gc.freeze()  # what was imported is no garbage: looking through it again and again held up the loop
    server = _Server(service)
    server.run()
    if server.failure:
        raise server.failure


def _common_routes(service: Service, failures: Sequence[BaseException]) -> APIRouter:
    routes, reason = APIRouter(), reason_of_start()

    @routes.get("/health", tags=["lab"])
    async def health() -> dict[str, str]:
        return {"service": service.name, "status": "alive"}

    @routes.get("/ready", tags=["lab"])
    async def ready() -> Response:
        return await _readiness(service, failures)

    @routes.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/lab/engine", tags=["lab"])
    async def engine() -> dict[str, str]:
        return {"engine": service.host.name, "reason": reason}

    @routes.put("/lab/engine", tags=["lab"])
    async def switch(wanted: EngineName) -> dict[str, object]:
        nonlocal reason
        handed_over = await service.host.switch(wanted.engine, service.settings.lab_grace)
        reason = ""
        return {"engine": service.host.name, "handed_over": handed_over}

    @routes.get("/lab/faults", tags=["lab"])
    async def faults() -> dict[str, dict[str, object]]:
        return service.faults.describe()

    @routes.put("/lab/faults", tags=["lab"])
    async def set_faults(wanted: Magnitudes) -> dict[str, dict[str, object]]:
        service.faults.set(wanted.faults)
        return service.faults.describe()

    @routes.get("/lab/timeline", tags=["lab"])
    async def timeline(since: float = 0.0) -> list[dict[str, object]]:
        return [asdict(span) for span in service.timeline.since(since)]

    return routes


async def _readiness(service: Service, failures: Sequence[BaseException]) -> Response:
    if failures:
        return problem(503, f"a part of the service ended, and it has to start again: {failures[0]!r}")
    if service.host.draining:
        return problem(503, "draining: what runs may end, and nothing more is accepted")
    missing = [name for name, ask in service.dependencies.items() if not await _answers(ask)]
    if missing:
        return problem(503, f"no answer within {READY_SECONDS:g} s from {', '.join(missing)}")
    return Response('{"status":"ready"}', media_type="application/json")


async def _answers(ask: Callable[[], Awaitable[object]]) -> bool:
    try:
        async with asyncio.timeout(READY_SECONDS):
            await ask()
    except Exception:
        return False
    return True


class _Measured:
    """Counts and times requests by route template, so that labels stay bounded."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start, code = time.perf_counter(), "500"

        async def watch(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            metrics, here = self._service.metrics, (self._service.name, self._service.host.name, route)
            metrics.requests.labels(*here, code).inc()
            metrics.request_seconds.labels(*here).observe(time.perf_counter() - start)
