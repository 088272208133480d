"""The shell of M2: routes, what is durable before the answer, errors to status codes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from lab_kit.engines import EngineHost, engine_class
from lab_kit.faults import Faults
from lab_kit.metrics import Metrics, Unbroken
from lab_kit.ports import SystemClock, thread_pool
from lab_kit.shell import Service
from lab_kit.streams import connect
from lab_kit.timeline import Timeline
from primes.adapters.crews import Crews
from primes.adapters.desk import Desk
from primes.adapters.faults import FAULTS
from primes.adapters.lister import Lister
from primes.adapters.registry import Record, Registry
from primes.config import Settings
from primes.contract import (
    Busy,
    Conflict,
    InvalidJob,
    Job,
    Kind,
    Ports,
    PrimeCalculator,
    State,
    Status,
    UnknownJob,
)
from primes.core.plan import nth_bound
from primes.core.tally import imbalance
from primes.metrics import EngineStats, JobMetrics

STATUSES: dict[type[Exception], int] = {InvalidJob: 422, UnknownJob: 404, Conflict: 409, Busy: 429}
EVENT_SECONDS = 0.25

type PageSize = Annotated[int, Query(ge=1, le=1000)]
type ListSize = Annotated[int, Query(ge=1, le=10_000)]


def build(settings: Settings) -> Service:
    """Put the parts together; nothing runs yet."""
    name, timeline, clock = "primes", Timeline(), SystemClock()
    metrics, faults, redis = Metrics(name), Faults(*FAULTS), connect(settings.redis_url)
    crews = Crews(settings, metrics, faults)

    def build_engine(engine: str) -> PrimeCalculator:
        measured, loop = metrics.of(engine, timeline), asyncio.get_running_loop()
        jobs.begin(engine)
        ports = Ports(
            clock=clock,
            executor=thread_pool,  # the coordinator waits all its life: its tasks are the orders of its crew
            lock=measured.lock,
            tracer=timeline,
            crew=lambda: crews.hire(measured, engine),
            board=crews.board,
            finished=lambda status: desk.ended(loop, status),
        )
        calculator: PrimeCalculator = engine_class(name, engine, settings.lab_workspace)(
            ports, settings.limits
        )
        return calculator

    host = EngineHost(build_engine, unfinished=lambda: desk.unfinished())
    jobs = JobMetrics(metrics, settings.limits, lambda: host.name)

    def observe(record: Record) -> None:
        jobs.ended(record.status, (record.finished or 0.0) - record.created, crews.size)

    desk = Desk(Registry(redis), host, settings.limits, observe)
    lister = Lister(settings.limits, settings.primes_kernel, settings.primes_list)
    metrics.registry.register(Unbroken(EngineStats(name, lambda: host.name, lambda: host.engine.stats())))
    return Service(
        name=name,
        settings=settings,
        metrics=metrics,
        host=host,
        faults=faults,
        timeline=timeline,
        routes=[Routes(desk, lister).router()],
        statuses=STATUSES,
        dependencies={"redis": redis.ping},
        tasks=[desk.tell_ends],
    )


class Question(BaseModel):
    """What a user asks: of the primes from `lo` to below `hi`, or for the `n`-th. `name` is only shown."""

    model_config = ConfigDict(extra="forbid")
    kind: Kind = Kind.COUNT
    lo: StrictInt = Field(default=0, ge=0)
    hi: StrictInt | None = Field(default=None, ge=0)
    n: StrictInt | None = Field(default=None, ge=1, le=10**12)
    name: str = Field(default="", max_length=100)

    def job(self) -> Job:
        """Raises InvalidJob for a combination that makes no sense."""
        if self.kind is Kind.NTH:
            if self.n is None or self.hi is not None or self.lo:
                raise InvalidJob("kind nth takes n, and neither lo nor hi: it counts from 2 on")
            return Job(0, nth_bound(self.n), Kind.NTH, self.n)
        if self.hi is None or self.n is not None:
            raise InvalidJob(f"kind {self.kind} takes lo and hi, and no n")
        return Job(self.lo, self.hi, self.kind)


class Routes:
    """The API under /v1."""

    def __init__(self, desk: Desk, lister: Lister) -> None:
        self._desk, self._lister = desk, lister

    def router(self) -> APIRouter:
        api = APIRouter(prefix="/v1", tags=["primes"])
        one = "/jobs/{job_id}"
        api.post("/jobs", status_code=202)(self.create)
        api.get("/jobs")(self.page)
        api.get(one)(self.look)
        for verb in ("pause", "resume", "cancel"):
            api.post(f"{one}/{verb}")(getattr(self, verb))
        api.delete(one, status_code=204)(self.delete)
        known = [Depends(self.look)]  # before the answer begins, so that an unknown job is a 404
        api.get(one + "/events", response_class=EventSourceResponse, dependencies=known)(self.events)
        api.get("/primes")(self.primes)
        api.get("/primes/stream")(self.stream)
        return api

    async def create(self, question: Question) -> dict[str, Any]:
        """Accept one job; durable before the answer."""
        return _shown(await self._desk.accept(question.job(), question.name))

    async def page(
        self, state: State | None = None, after: str | None = None, limit: PageSize = 100
    ) -> dict[str, Any]:
        """Newest first; `next` is the `after` of the next page, null on the last."""
        records = self._desk.page(state, after, limit)
        following = records[-1].job.id if len(records) == limit else None
        return {"items": [_shown(record) for record in records], "next": following}

    async def look(self, job_id: str) -> dict[str, Any]:
        """One job now; with its answer when it is done."""
        return _shown(self._desk.look(job_id))

    async def pause(self, job_id: str) -> dict[str, Any]:
        """Give no more of its tiles; what is computed stays."""
        return _shown(await self._desk.change(job_id, "pause"))

    async def resume(self, job_id: str) -> dict[str, Any]:
        """Go on with a paused job."""
        return _shown(await self._desk.change(job_id, "resume"))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """End a job, and drop what is computed."""
        return _shown(await self._desk.change(job_id, "cancel"))

    async def delete(self, job_id: str) -> Response:
        """Forget an ended job."""
        await self._desk.delete(job_id)
        return Response(status_code=204)

    async def events(self, job_id: str) -> AsyncIterator[ServerSentEvent]:
        """Progress as it changes, until the job has ended, or is deleted, which only an ended one can be."""
        last = None
        while True:
            try:
                record = self._desk.look(job_id)
            except UnknownJob:
                return
            if record.status != last:
                last = record.status
                yield ServerSentEvent(event=last.state, data=_shown(record))
            if record.status.state.final:
                return
            await asyncio.sleep(EVENT_SECONDS)

    async def primes(self, lo: int, hi: int, limit: ListSize = 1000) -> dict[str, Any]:
        """The primes from `lo` on; `next` is the `lo` of the next page, null on the last."""
        self._lister.require(lo, hi)
        found, following = await self._lister.page(lo, hi, limit)
        return {"primes": found, "next": following}

    async def stream(self, lo: int, hi: int) -> StreamingResponse:
        """All primes from `lo` to below `hi`, one a line, as they are found."""
        self._lister.require(lo, hi)
        return StreamingResponse(self._lines(lo, hi), media_type="text/plain")

    async def _lines(self, lo: int, hi: int) -> AsyncIterator[str]:
        async for primes in self._lister.stream(lo, hi):
            yield "".join(f"{prime}\n" for prime in primes)


def _shown(record: Record) -> dict[str, Any]:
    status: Status = record.status
    shown = {name: value for name, value in asdict(status).items() if name not in ("job", "busy")}
    job = {"id": record.job.id, "kind": record.job.kind, "lo": record.job.lo, "hi": record.job.hi,
           "name": record.name}  # fmt: skip
    times = {"created": record.created, "finished": record.finished}
    spread = {"workers": dict(status.busy), "imbalance": round(imbalance(status.busy), 4)}
    return {**job, **shown, **times, **spread}
