"""The HTTP face that every service shares: health, readiness, metrics, engine, faults, timeline."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

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


class EngineName(BaseModel):
    model_config = ConfigDict(extra="forbid")
    engine: str


class Magnitudes(BaseModel):
    model_config = ConfigDict(extra="forbid")
    faults: dict[str, float]


def create_app(service: Service) -> FastAPI:
    """The application. At its end it drains the engine for `lab_grace` seconds, if nobody did before."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await service.host.start()
        _show_engine(service)
        watchdog = Watchdog(lambda: service.host.name == "mine", start_again)
        background = [
            watchdog.run(),
            service.metrics.watch_loop(lambda: service.host.name),
            *(task() for task in service.tasks),
        ]
        running = [asyncio.create_task(task) for task in background]
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
    for router in (_common_routes(service), *service.routes):
        app.include_router(router)
    app.add_middleware(_Measured, service=service)
    return app


class _Server(uvicorn.Server):
    """Drains while it still answers, so that `/ready` can say so and progress can be watched."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.host.stop(self._service.settings.lab_grace)
        await super().shutdown(sockets)


def serve(service: Service) -> None:
    """Run until SIGTERM or SIGINT, then drain; returns after a clean end."""
    for ending in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again when it has ended
        signal.signal(ending, lambda number, frame: None)
    where = service.settings
    config = uvicorn.Config(create_app(service), host=where.host, port=where.port, log_config=None,
                            access_log=False, timeout_graceful_shutdown=1)  # fmt: skip
    _Server(config, service).run()


def _common_routes(service: Service) -> APIRouter:
    routes, reason = APIRouter(), reason_of_start()

    @routes.get("/health", tags=["lab"])
    async def health() -> dict[str, str]:
        return {"service": service.name, "status": "alive"}

    @routes.get("/ready", tags=["lab"])
    async def ready() -> Response:
        return await _readiness(service)

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
        _show_engine(service)
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


async def _readiness(service: Service) -> Response:
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


def _show_engine(service: Service) -> None:
    service.metrics.engine_info.clear()
    service.metrics.engine_info.labels(service.name, service.host.name).set(1)


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
            service, metrics = self._service, self._service.metrics
            metrics.requests.labels(service.name, service.host.name, route, code).inc()
            metrics.request_seconds.labels(service.name, service.host.name, route).observe(
                time.perf_counter() - start
            )
