"""What must outlive the process: which downloads were accepted, and what became of them. In Redis."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any
from weakref import WeakValueDictionary

from redis.asyncio import Redis

from downloader.contract import Job, State, Status, UnknownJob

KEEP = 10_000


@dataclass(frozen=True, slots=True)
class Record:
    """A download as its users know it. `state` is `queued` or `paused` until it is final, and `finished` not known
    while one that is to be cancelled has not ended."""

    job: Job
    name: str
    trace: str
    created: float
    state: State = State.QUEUED
    received: int = 0
    total: int | None = None
    retries: int = 0
    restarts: int = 0
    sha256: str | None = None
    error: str | None = None
    finished: float | None = None

    @property
    def ended(self) -> bool:
        return self.state.final and self.finished is not None

    def with_status(self, status: Status) -> "Record":
        """This record as `status` has it."""
        return replace(
            self,
            state=status.state,
            received=status.received,
            total=status.total,
            retries=status.retries,
            restarts=status.restarts,
            sha256=status.sha256,
            error=status.error,
            finished=time.time() if status.state.final else None,
        )


class Registry:
    """All records in memory, every change in Redis first. For the shell's one event loop.

    The last `KEEP` finished ones are remembered. A method that raises has changed nothing. Whoever changes a
    record by what it is now holds its `turn`; `finish` takes it by itself.
    """

    def __init__(self, redis: Redis, prefix: str = "lab:downloader") -> None:
        self._redis: Any = redis  # its types are the union of two protocols' answers
        self._records_key, self._finished_key = f"{prefix}:records", f"{prefix}:finished"
        self._records: dict[str, Record] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> list[Record]:
        """Everything an earlier life left; returns what is unfinished, oldest first."""
        stored = await self._redis.hgetall(self._records_key)
        records = sorted(map(_decode, stored.values()), key=lambda record: record.created)
        self._records = {record.job.id: record for record in records}
        return [record for record in records if not record.ended]

    def turn(self, job_id: str) -> asyncio.Lock:
        """One lock for each download that is being changed: two changes of one record never overlap."""
        return self._turns.setdefault(job_id, asyncio.Lock())

    def find(self, job_id: str) -> Record:
        """Raises `UnknownJob`."""
        if job_id not in self._records:
            raise UnknownJob(f"no download {job_id!r}")
        return self._records[job_id]

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._records

    def all(self) -> list[Record]:
        """Newest first."""
        return list(reversed(self._records.values()))

    async def accept(self, jobs: list[tuple[Job, str, str]]) -> list[Record]:
        """Make `(job, name, trace)` durable; all of them or none."""
        now = time.time()
        records = [
            Record(job, name, trace, now + order * 1e-6) for order, (job, name, trace) in enumerate(jobs)
        ]
        await self._redis.hset(self._records_key, mapping={one.job.id: _encode(one) for one in records})
        self._records.update({record.job.id: record for record in records})
        return records

    async def mark(self, job_id: str, state: State) -> None:
        """Remember that a download is paused, or no longer is."""
        await self._save(replace(self.find(job_id), state=state))

    @asynccontextmanager
    async def marked(self, job_id: str, state: State) -> AsyncIterator[None]:
        """Remember first that a download begins anew, or is to be cancelled; then do it in the block. If the block
        raises, what was remembered before is restored."""
        before = self.find(job_id)
        await self._save(replace(before, state=state, finished=None))
        try:
            yield
        except Exception:
            await self._save(before)
            raise

    async def finish(self, record: Record) -> list[str]:
        """Remember `record`, which has ended; returns the oldest ends beyond `KEEP`, to be removed."""
        async with self.turn(record.job.id):
            both = self._redis.pipeline(transaction=True)
            both.hset(self._records_key, record.job.id, _encode(record))
            both.zadd(self._finished_key, {record.job.id: record.finished})
            both.zrange(self._finished_key, 0, -KEEP - 1)
            *_, oldest = await both.execute()
            self._records[record.job.id] = record
        return list(oldest)

    async def remove(self, *job_ids: str) -> None:
        """Forget downloads; unknown ones are no error."""
        both = self._redis.pipeline(transaction=True)
        both.hdel(self._records_key, *job_ids)
        both.zrem(self._finished_key, *job_ids)
        await both.execute()
        self.drop(*job_ids)

    def drop(self, *job_ids: str) -> None:
        """Know no more of these downloads, although Redis still does."""
        for job_id in job_ids:
            self._records.pop(job_id, None)

    async def _save(self, record: Record) -> None:
        both = self._redis.pipeline(transaction=True)
        both.hset(self._records_key, record.job.id, _encode(record))
        both.zrem(self._finished_key, record.job.id)  # one that begins anew is not forgotten meanwhile
        await both.execute()
        self._records[record.job.id] = record


def _encode(record: Record) -> str:
    return json.dumps(asdict(record))


def _decode(raw: str) -> Record:
    found = json.loads(raw)
    job, state = Job(**found.pop("job")), State(found.pop("state"))
    return Record(job=job, state=state, **found)
