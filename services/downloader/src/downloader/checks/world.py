"""One engine in a scripted world."""

import random
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

from downloader.checks.disk import Disk
from downloader.checks.web import Web
from downloader.contract import DownloadManager, Job, Limits, Ports, State, Status
from lab_kit.ports import Ports as CommonPorts

KIB, MIB = 1024, 1024 * 1024
HOST = "http://files.lab.test"
LIMITS = Limits(
    workers=3, per_host=3, per_download=2, retry_base=1.0, retry_cap=8.0, retry_total=30.0, checksum=False
)


class World:
    """A web, a disk and chance for one engine; `ended` notes each end it told of, `pools` those it made.

    `latency` is what each request and each read takes, in virtual seconds.
    """

    def __init__(self, engine: type[DownloadManager], common: CommonPorts, latency: float = 0.0) -> None:
        self.engine, self.common, self.clock = engine, common, common.clock
        self.web, self.disk = Web(common.clock, latency), Disk()
        self.ended: list[Status] = []
        self.pools: list[Executor] = []

    def start(self, *jobs: Job, limits: Limits = LIMITS) -> DownloadManager:
        """A new engine, which takes over `jobs`."""
        ports = Ports(
            clock=self.clock,
            executor=self._executor,
            lock=self.common.lock,
            tracer=self.common.tracer,
            transport=self.web,
            storage=self.disk,
            random=random.Random(1),
            finished=self.ended.append,
        )
        manager = self.engine(ports, limits)
        manager.start(jobs)
        return manager

    def job(self, name: str, size: int = 0, *, host: str = HOST, ranges: bool = True, **about: object) -> Job:
        """A file of `size` bytes on the web, and the job to fetch it; its id and its destination are `name`."""
        body = random.Random(name).randbytes(size)
        job = Job(self.web.put(f"{host}/{name}", body, ranges=ranges), destination=name, id=name)
        return replace(job, **about)  # type: ignore[arg-type]  # the fields of a job

    def change(self, job: Job) -> None:
        """Put another file in its place on the web."""
        size = len(self.web.pages[job.url].body)
        self.web.put(job.url, random.Random(f"another {job.url}").randbytes(size))

    def whole(self, job: Job) -> bool:
        """Whether the finished file is there, and is the one that is on the web now."""
        return self.disk.files.get(job.destination) == self.web.pages[job.url].body

    def told(self, job: Job) -> list[State]:
        """The ends of `job` that the engine told of."""
        return [status.state for status in self.ended if status.job.id == job.id]

    def until(self, happened: Callable[[], bool], seconds: float = 600.0) -> bool:
        """Wait until it has happened, at most `seconds`; returns whether it has."""
        deadline = self.clock.monotonic() + seconds
        while not happened() and self.clock.monotonic() < deadline:
            self.clock.sleep(0.05)
        return happened()

    def all_pools_closed(self) -> bool:
        """Whether no pool that the engine made takes a task any more."""
        for pool in self.pools:
            try:
                pool.submit(int)
            except RuntimeError:
                continue
            return False
        return True

    def limits(self, **other: int) -> Limits:
        """The usual limits, but for `other`."""
        return replace(LIMITS, **other)  # type: ignore[arg-type]  # mypy cannot tell the fields apart

    def _executor(self, name: str, workers: int) -> Executor:
        self.pools.append(self.common.executor(name, workers))
        return self.pools[-1]
