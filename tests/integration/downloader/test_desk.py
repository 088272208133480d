"""The desk on a real server, beside an engine that does what a test tells it to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis.asyncio import Redis

from downloader.adapters.desk import FILES, Desk
from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.notes import Request
from downloader.adapters.registry import Record, Registry
from downloader.adapters.storage import FileStorage
from downloader.contract import Busy, Conflict, Job, State, Status, StorageFailed, UnknownJob
from lab_kit.engines import EngineHost
from lab_kit.messages import Message
from lab_kit.streams import Later

WANTED = Request(url="http://a.lab.test/files/1/x")


@dataclass
class Told:
    """An engine that refuses the jobs whose turn is in `full`, and can cancel none of `done`."""

    full: set[int] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    jobs: list[Job] = field(default_factory=list)
    accepted: asyncio.Event = field(default_factory=asyncio.Event)
    forgotten: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    turns: int = 0

    def start(self, jobs: Sequence[Job]) -> None: ...

    def stop(self, deadline: float) -> Sequence[Job]:
        return self.jobs

    def submit(self, job: Job) -> str:
        self.turns += 1
        if self.turns in self.full:
            raise Busy("no room")
        self.jobs.append(job)
        self.accepted.set()
        return job.id

    def cancel(self, job_id: str) -> None:
        if job_id in self.done:
            raise Conflict(f"download {job_id!r} is done")

    def status(self, job_id: str) -> Status:
        raise UnknownJob(job_id)

    def forget(self, job_id: str) -> None:
        self.forgotten.put_nowait(job_id)


@dataclass
class Office:
    """A desk that is at work."""

    desk: Desk
    engine: Told
    redis: Redis
    registry: Registry
    storage: FileStorage
    observed: list[Record]

    async def ends(self, *statuses: Status) -> None:
        """The engine tells these ends, and each is dealt with."""
        for status in statuses:
            self.desk.ended(asyncio.get_running_loop(), status)
        assert {await self.engine.forgotten.get() for _ in statuses} == {status.job.id for status in statuses}


@pytest.fixture
def at_work(fresh_redis: str, tmp_path: Path) -> Callable[[Told, Callable[[Office], Awaitable[None]]], None]:
    """A function that runs a scenario beside an engine."""

    async def run(engine: Told, scenario: Callable[[Office], Awaitable[None]]) -> None:
        async with Redis.from_url(fresh_redis, decode_responses=True) as redis, asyncio.timeout(30):
            host, registry, storage = EngineHost(lambda _: engine), Registry(redis), FileStorage(tmp_path)
            await host.start()
            hosts, observed = AllowedHosts(["*.lab.test"], "http://127.0.0.1:1"), list[Record]()
            desk = Desk(redis, registry, host, hosts, storage, "http://here", observed.append)  # type: ignore[arg-type]  # its engine can do no more than is asked
            telling = asyncio.create_task(desk.tell_ends())
            await scenario(Office(desk, engine, redis, registry, storage, observed))
            assert not telling.done(), telling
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    return lambda engine, scenario: asyncio.run(run(engine, scenario))


type AtWork = Callable[[Told, Callable[[Office], Awaitable[None]]], None]


def test_a_list_that_finds_no_room_leaves_nothing_even_if_its_first_is_done_already(at_work: AtWork) -> None:
    async def scenario(office: Office) -> None:
        with pytest.raises(Busy):
            await office.desk.accept([(name, WANTED, "trace") for name in "abc"])
        done, cancelled = office.engine.jobs
        office.storage.create("a").publish(0)
        await office.ends(Status(done, State.DONE, sha256="0" * 64), Status(cancelled, State.CANCELLED))
        assert office.desk.page(None, None, 10) == []
        assert not await office.redis.exists("lab:downloader:records", "lab:downloader:finished", FILES)
        assert (office.observed, office.storage.path("a").exists()) == ([], False)

    at_work(Told(full={3}, done={"a"}), scenario)


def test_a_message_waits_for_room(at_work: AtWork) -> None:
    async def scenario(office: Office) -> None:
        message = Message("download.wanted", WANTED.model_dump())
        for _ in range(2):
            with pytest.raises(Later):
                await office.desk.handle(message)
            assert not await office.redis.exists("lab:downloader:records")
        handling = asyncio.create_task(office.desk.handle(message))
        accepted = asyncio.create_task(office.engine.accepted.wait())
        await asyncio.wait({handling, accepted}, return_when=asyncio.FIRST_COMPLETED)
        assert accepted.done(), handling
        await office.ends(Status(office.engine.jobs[0], State.DONE, sha256="0" * 64))
        await handling

    at_work(Told(full={1, 2}), scenario)


def test_an_engine_that_tells_nonsense_does_not_silence_others(at_work: AtWork) -> None:
    async def scenario(office: Office) -> None:
        await office.desk.accept([(name, WANTED, "trace") for name in "abc"])
        active, unsummed, done = office.engine.jobs
        office.desk.ended(asyncio.get_running_loop(), Status(active, State.ACTIVE))
        await office.ends(Status(unsummed, State.DONE), Status(done, State.DONE, sha256="0" * 64))
        assert [office.registry.find(name).state for name in "abc"] == [State.QUEUED, State.DONE, State.DONE]
        [(_, told)] = await office.redis.xrange(FILES)
        assert '"id":"c"' in told["message"]

    at_work(Told(), scenario)


def test_a_file_that_cannot_be_deleted_does_not_end_the_service(
    at_work: AtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(destination: str) -> None:
        raise StorageFailed("cannot remove a file: I/O error")

    async def scenario(office: Office) -> None:
        monkeypatch.setattr(office.storage, "remove", fails)
        await office.desk.accept([(name, WANTED, "trace") for name in "ab"])
        for job in office.engine.jobs:
            await office.ends(Status(job, State.FAILED))
        await office.desk.delete("a")
        assert [record.job.id for record in office.desk.page(None, None, 10)] == ["b"]

    at_work(Told(), scenario)
