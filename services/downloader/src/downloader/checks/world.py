"""One engine in a scripted world."""

import random
from collections import Counter
from dataclasses import replace

from downloader.checks.disk import Disk
from downloader.checks.web import Web
from downloader.contract import DownloadManager, Job, Limits, Ports, Status
from lab_kit.ports import Ports as CommonPorts

KIB, MIB = 1024, 1024 * 1024
LIMITS = Limits(
    workers=3, per_host=3, per_download=2, retry_base=1.0, retry_cap=8.0, retry_total=30.0, checksum=False
)


class World:
    """A web, a disk and chance for one engine; `ended` notes whom it told of which end."""

    def __init__(self, engine: type[DownloadManager], common: CommonPorts, latency: float = 0.0) -> None:
        self.engine, self.common = engine, common
        self.web, self.disk = Web(common.clock, latency), Disk()
        self.ended: list[Status] = []

    def start(self, *jobs: Job, limits: Limits = LIMITS) -> DownloadManager:
        """A new engine, which takes over `jobs`."""
        ports = Ports(
            clock=self.common.clock,
            executor=self.common.executor,
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

    def job(self, name: str, size: int = 0, *, ranges: bool = True, **about: object) -> Job:
        """A file of `size` bytes on the web, and the job to fetch it."""
        body = random.Random(name).randbytes(size)
        job = Job(self.web.put(name, body, ranges=ranges), destination=name, id=name)
        return replace(job, **about)  # type: ignore[arg-type]  # the fields of a job

    def body(self, name: str) -> bytes:
        """What is on the web now."""
        return next(page.body for url, page in self.web.pages.items() if url.endswith(f"/{name}"))

    def whole(self, name: str) -> bool:
        """Whether the finished file is there, and is the one on the web."""
        return self.disk.files.get(name) == self.body(name)

    def told(self) -> Counter[str]:
        return Counter(status.job.id for status in self.ended)
