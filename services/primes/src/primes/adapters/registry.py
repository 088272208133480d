"""What must outlive the service: which jobs were accepted, and what came of them. In Redis."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from redis.asyncio import Redis

from primes.contract import Job, Kind, State, Status, UnknownJob

__all__ = ["Record", "Registry"]

KEEP = 1000


@dataclass(frozen=True, slots=True)
class Record:
    """A job as its users know it. Times are UNIX time in seconds."""

    status: Status
    created: float
    name: str = ""
    finished: float | None = None

    @property
    def job(self) -> Job:
        return self.status.job

    def now(self, status: Status) -> "Record":
        """This record as `status` has it."""
        return replace(self, status=status, finished=time.time() if status.state.final else None)


class Registry:
    """All records in memory, every change in Redis first. For the shell's one event loop.

    The last `KEEP` ended ones are remembered. A method that raises has changed nothing.
    """

    def __init__(self, redis: Redis, key: str = "lab:primes:records") -> None:
        self._redis: Any = redis  # its types are the union of two protocols' answers
        self._key = key
        self._records: dict[str, Record] = {}

    async def load(self) -> list[Record]:
        """Everything an earlier life left; returns what is unfinished, oldest first."""
        stored = await self._redis.hgetall(self._key)
        records = sorted(map(_decode, stored.values()), key=lambda record: record.created)
        self._records = {record.job.id: record for record in records}
        return [record for record in records if not record.status.state.final]

    def find(self, job_id: str) -> Record:
        """Raises `UnknownJob`."""
        if job_id not in self._records:
            raise UnknownJob(f"no job {job_id!r}")
        return self._records[job_id]

    def all(self) -> list[Record]:
        """Newest first."""
        return list(reversed(self._records.values()))

    async def save(self, record: Record) -> None:
        await self._redis.hset(self._key, record.job.id, _encode(record))
        self._records[record.job.id] = record

    async def remove(self, *job_ids: str) -> None:
        """Unknown ones are no error."""
        if job_ids:
            await self._redis.hdel(self._key, *job_ids)
        for job_id in job_ids:
            self._records.pop(job_id, None)

    def surplus(self) -> Sequence[str]:
        """The oldest of the ended jobs, beyond those that are kept."""
        ended = [record.job.id for record in self._records.values() if record.status.state.final]
        return ended[:-KEEP]


def _encode(record: Record) -> str:
    return json.dumps(asdict(record))


def _decode(raw: str) -> Record:
    found = json.loads(raw)
    status = found.pop("status")
    job = {**status.pop("job")}
    job["kind"], status["state"] = Kind(job["kind"]), State(status["state"])
    return Record(Status(job=Job(**job), **status), **found)
