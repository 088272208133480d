"""The shell of T2: senders in, files out, alerts, and errors to status codes."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from lab_kit.engines import EngineHost, engine_class
from lab_kit.faults import Faults
from lab_kit.metrics import Metrics, Unbroken
from lab_kit.ports import SystemClock
from lab_kit.shell import Service
from lab_kit.streams import Consumer, connect
from lab_kit.timeline import Timeline
from log_pipeline.adapters.allowance import Allowance
from log_pipeline.adapters.caretaker import Caretaker
from log_pipeline.adapters.desk import BadBody, Desk, body_of
from log_pipeline.adapters.faults import FAULTS, FaultySink
from log_pipeline.adapters.files import Files
from log_pipeline.adapters.handover import Handover
from log_pipeline.adapters.inputs import Inputs
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.adapters.rules import read_rules
from log_pipeline.adapters.spill import Spill
from log_pipeline.config import Settings
from log_pipeline.contract import Batch, Busy, Closed, LogPipeline, Ports, Receipt, TooLarge
from log_pipeline.core.alerts import Rules
from log_pipeline.metrics import EngineStats, GroupMetrics, IntakeMetrics, SinkMetrics

STREAM, GROUP = "lab:logs", "log-pipeline"
STATUSES: dict[type[Exception], int] = {BadBody: 422, TooLarge: 413, Busy: 429, Closed: 503}
MIB = 1024 * 1024
WORKERS = 16
LARGEST_BODY, BODIES, BEGUN = 32 * MIB, 64 * MIB, 64 * MIB  # of one, of all, of lines without end

type Kind = Literal["critical", "error", "rest", "dead"]


def build(settings: Settings) -> Service:
    """Put the parts together; nothing runs yet, but the syslog port is taken."""
    name, timeline = "log-pipeline", Timeline()
    metrics, faults, clock = Metrics(name), Faults(*FAULTS), SystemClock()
    sinks, spill, receipts = SinkMetrics(metrics), Spill(settings.lab_data / "spill"), Receipts()
    files = Files(
        settings.lab_data / "logs",
        settings.log_pipeline_rotate_bytes,
        settings.log_pipeline_keep,
        sync=settings.log_pipeline_fsync,
    )
    redis = connect(settings.redis_url)

    def finished(owed: dict[str, Batch], receipt: Receipt) -> None:
        owed.pop(receipt.batch_id, None)
        receipts.finished(receipt)
        spill.finished(receipt)

    def end_sources(timeout: float) -> None:
        if host.draining:
            inputs.end(timeout)

    def build_engine(engine: str) -> LogPipeline:
        measured, owed = metrics.of(engine, timeline), dict[str, Batch]()
        ports = Ports(
            clock=clock,
            executor=measured.executor,
            lock=measured.lock,
            tracer=timeline,
            sink=sinks.wrap(FaultySink(files, faults), engine),
            finished=partial(finished, owed),
        )
        pipeline = engine_class("log_pipeline", engine, settings.lab_workspace)(ports, settings.limits)
        return Handover(pipeline, spill, end_sources, owed)

    host = EngineHost(build_engine, unfinished=partial(asyncio.to_thread, spill.load))
    rules = Rules(read_rules(settings.log_pipeline_alerts), clock.monotonic())
    intake = Intake(
        lambda: host.engine, clock, spill, rules, IntakeMetrics(metrics), Allowance(BEGUN), settings.limits
    )
    inputs = Inputs(settings, intake, receipts)
    desk = Desk(intake, receipts, WORKERS, settings.log_pipeline_patience)
    metrics.registry.register(Unbroken(EngineStats(name, lambda: host.name, lambda: host.engine.stats())))
    consumer = Consumer(redis, STREAM, GROUP, desk.handle, name=name, prefetch=settings.log_pipeline_prefetch)
    group = GroupMetrics(metrics, name)

    caretaker = Caretaker(host, intake, redis, settings.scaling)
    return Service(
        name=name,
        settings=settings,
        metrics=metrics,
        host=host,
        faults=faults,
        timeline=timeline,
        routes=[Routes(desk, inputs, files, host).router()],
        statuses=STATUSES,
        dependencies={"redis": redis.ping},
        tasks=[
            inputs.run,
            caretaker.scale,
            caretaker.tell_alerts,
            consumer.run,
            lambda: metrics.watch_stream(redis, STREAM, GROUP),
            lambda: group.watch(redis, STREAM, GROUP),
        ],
    )


class Routes:
    """The API under /v1."""

    def __init__(self, desk: Desk, inputs: Inputs, files: Files, host: EngineHost[LogPipeline]) -> None:
        self._desk, self._inputs, self._files, self._host = desk, inputs, files, host
        self._bodies = Allowance(BODIES)

    def router(self) -> APIRouter:
        api = APIRouter(prefix="/v1", tags=["logs"])
        api.post("/logs")(self.accept)
        api.get("/stats")(self.stats)
        api.get("/inputs")(self.inputs)
        api.get("/records/{kind}")(self.records)
        return api

    async def accept(self, request: Request) -> dict[str, int]:
        """Write the lines of the body, or the records of a JSON array; answered when all are durable."""
        kind = request.headers.get("content-type", "")
        sender = request.client.host if request.client else "unknown"
        with self._bodies.holding() as hold:
            body = await asyncio.to_thread(body_of, await _read(request, hold), kind)
            ended = await self._desk.accept(body, f"http:{sender}")
        return {"written": ended.written, "dropped": ended.dropped, "dead": ended.dead}

    async def stats(self) -> dict[str, Any]:
        """The engine now; its ledger adds up."""
        stats = asdict(self._host.engine.stats())
        for counts in ("accepted", "written", "waiting"):
            stats[counts] = {priority.name.lower(): count for priority, count in stats[counts].items()}
        return stats

    async def inputs(self) -> dict[str, Any]:
        """Where records are taken from."""
        return {"syslog_port": self._inputs.syslog_port, "follow": self._inputs.follow, "stream": STREAM}

    async def records(self, kind: Kind, limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> list[str]:
        """The last records written, as they stand in the file."""
        return await asyncio.to_thread(self._files.last, kind, limit)


async def _read(request: Request, hold: Callable[[int], None]) -> bytes:
    """The body, which is never held in memory beyond what is taken."""
    body = bytearray()
    async for part in request.stream():
        hold(len(part))
        body += part
        if len(body) > LARGEST_BODY:
            raise TooLarge(f"a request may have at most {LARGEST_BODY:,} bytes: send several")
    return bytes(body)
