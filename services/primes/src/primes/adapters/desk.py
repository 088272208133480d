"""Between the outside and the engine: accepts jobs durably, and remembers their ends."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog
from redis.exceptions import RedisError

from lab_kit.engines import EngineHost
from primes.adapters.registry import Record, Registry
from primes.contract import Conflict, Job, Limits, PrimeCalculator, State, Status, UnknownJob
from primes.core.plan import validate

__all__ = ["Desk"]

log = structlog.get_logger(__name__)
LONGEST_PAUSE = 5.0


class Desk:
    """For the shell's one event loop. What it accepted is in Redis before it says so."""

    def __init__(
        self,
        registry: Registry,
        host: EngineHost[PrimeCalculator],
        limits: Limits,
        observe: Callable[[Record], None],
    ) -> None:
        self._registry, self._host, self._limits, self._observe = registry, host, limits, observe
        self._ended: asyncio.Queue[Status] = asyncio.Queue()
        self._ending: dict[str, Record] = {}
        self._told = asyncio.Condition()
        self._turn = asyncio.Lock()  # one change of a record at a time

    async def unfinished(self) -> Sequence[Job]:
        """The jobs an earlier life of the service left."""
        records = await self._registry.load()
        return [replace(record.job, paused=record.status.state is State.PAUSED) for record in records]

    async def accept(self, job: Job, name: str = "") -> Record:
        """Raises what the engine raises; then nothing is remembered."""
        validate(job, self._limits)
        record = Record(Status(job, State.QUEUED), time.time(), name)
        async with self._turn, self._host.use() as engine:
            await self._registry.save(record)
            try:
                engine.submit(job)
            except Exception:
                await self._registry.remove(job.id)
                raise
        return record

    def look(self, job_id: str) -> Record:
        """One job now. Raises `UnknownJob`."""
        record = self._ending.get(job_id) or self._registry.find(job_id)
        if not record.status.state.final:
            with suppress(UnknownJob):  # the engine is just being switched
                return record.now(self._host.engine.status(job_id))
        return record

    def page(self, state: State | None, after: str | None, limit: int) -> list[Record]:
        """At most `limit` jobs, newest first, those older than `after`."""
        records = self._registry.all()
        if after is not None:
            self._registry.find(after)
            records = records[[record.job.id for record in records].index(after) + 1 :]
        seen = (self.look(record.job.id) for record in records)
        found = (record for record in seen if state in (None, record.status.state))
        return [record for record, _ in zip(found, range(limit), strict=False)]

    async def change(self, job_id: str, verb: str) -> Record:
        """Have the engine `pause`, `resume` or `cancel` it, then remember it."""
        async with self._turn, self._host.use() as engine:
            record = self.look(job_id)
            if record.status.state.final:
                raise Conflict(f"job {job_id!r} is {record.status.state}: too late to {verb} it")
            call: Any = getattr(engine, verb)
            call(job_id)
            if verb != "cancel":  # its end is told, and then remembered
                state = State.PAUSED if verb == "pause" else State.QUEUED
                await self._registry.save(replace(record, status=replace(record.status, state=state)))
        return self.look(job_id)

    async def delete(self, job_id: str) -> None:
        """Forget an ended job. Raises `Conflict` for another."""
        if not self.look(job_id).status.state.final:
            raise Conflict(f"job {job_id!r} has not ended: cancel it first")
        async with self._told:  # an end that is remembered after this would bring the job back
            await self._told.wait_for(lambda: self._remembered(job_id))
        async with self._turn:
            await self._registry.remove(job_id)

    def _remembered(self, job_id: str) -> bool:
        return job_id not in self._ending and self._registry.find(job_id).status.state.final

    def ended(self, loop: asyncio.AbstractEventLoop, status: Status) -> None:
        """The engine's `finished` port, from any thread."""
        loop.call_soon_threadsafe(self._note, status)

    async def tell_ends(self) -> None:
        """Remember the ends of jobs, for ever; Redis may be away for as long as it likes."""
        while True:
            record = self._ending[(await self._ended.get()).job.id]
            await self._save(record)
            self._observe(record)
            async with self._host.use() as engine:
                with suppress(UnknownJob, Conflict):
                    engine.forget(record.job.id)
            async with self._told:
                self._ending.pop(record.job.id, None)
                self._told.notify_all()

    def _note(self, status: Status) -> None:
        """An engine may tell of an end twice; the first one is the end."""
        with suppress(UnknownJob):
            record = self._registry.find(status.job.id)
            if status.job.id not in self._ending and not record.status.state.final:
                self._ending[status.job.id] = record.now(status)
                self._ended.put_nowait(status)

    async def _save(self, record: Record) -> None:
        pause = 0.1
        while True:
            try:
                async with self._turn:
                    await self._registry.save(record)
                    return await self._registry.remove(*self._registry.surplus())
            except RedisError as error:
                log.warning("cannot remember the end of a job yet", job=record.job.id, error=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
