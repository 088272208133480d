"""The desk beside an engine that says too much, and beside users who do things at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from primes.adapters.desk import Desk
from primes.adapters.registry import Record, Registry
from primes.app import Routes
from primes.contract import Job, Limits, State, Status, UnknownJob

JOB = Job(0, 10, id="job")


class Redis:
    """Takes everything."""

    async def hset(self, *values: object) -> None: ...
    async def hdel(self, *values: object) -> None: ...


class Host:
    """Its engine knows no job."""

    @asynccontextmanager
    async def use(self) -> AsyncIterator["Host"]:
        yield self

    def forget(self, job_id: str) -> None:
        raise UnknownJob(job_id)


def test_the_first_end_that_is_told_is_the_end() -> None:
    """An engine that tells twice, as the naive one may of a job cancelled at its last tile, harms nobody."""

    async def told() -> list[State]:
        registry, ends = Registry(cast(Any, Redis())), asyncio.Queue[Record]()
        desk = Desk(registry, cast(Any, Host()), Limits(), ends.put_nowait)
        await registry.save(Record(Status(JOB, State.QUEUED), 0.0))
        telling, loop = asyncio.create_task(desk.tell_ends()), asyncio.get_running_loop()
        desk.ended(loop, Status(JOB, State.CANCELLED))
        desk.ended(loop, Status(JOB, State.DONE))
        await asyncio.wait({telling, first := asyncio.create_task(ends.get())}, return_when="FIRST_COMPLETED")
        desk.ended(loop, Status(JOB, State.DONE))
        for _ in range(10):  # turns of the loop, in which a second end would be looked at
            await asyncio.sleep(0)
        assert not telling.done(), telling.exception()
        telling.cancel()
        return [(await first).status.state, registry.find(JOB.id).status.state]

    assert asyncio.run(told()) == [State.CANCELLED, State.CANCELLED]


def test_a_stream_of_events_ends_when_somebody_deletes_the_job() -> None:
    class Deleted:
        records = iter((Record(Status(JOB, State.RUNNING), 0.0),))

        def look(self, job_id: str) -> Record:
            for record in self.records:
                return record
            raise UnknownJob(job_id)

    async def events() -> list[str | None]:
        return [event.event async for event in Routes(cast(Any, Deleted()), cast(Any, None)).events(JOB.id)]

    assert asyncio.run(events()) == ["running"]
