"""An engine in a simulated world: nothing is dialled, slept on, or written to a disk."""

import hashlib
from dataclasses import dataclass, field
from random import Random

from tests.unit.downloader.world import Disk, File, Web

from downloader.contract import Job, Limits, Ports, State, Status
from downloader.engine import DownloadManager
from lab_kit.simulated import SimulatedClock, SimulatedPool


@dataclass
class Bench:
    """One engine, and the means to let it run."""

    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    web: Web = field(default_factory=Web)
    disk: Disk = field(default_factory=Disk)
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    ended: list[Status] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    pool: SimulatedPool = field(init=False)
    engine: DownloadManager = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another engine, in another life, on the same disk. The earlier one is as if it had been killed."""
        self.pool = SimulatedPool(self.seed)
        ports = Ports(
            clock=self.clock,
            executor=self.pool,
            transport=self.web,
            storage=self.disk,
            random=Random(self.seed),
            gather=lambda: self.told.add("gather"),
            spread=lambda: self.told.add("spread"),
            finished=self.ended.append,
        )
        self.engine = DownloadManager(ports, self.limits)

    def add(self, file: File, name: str = "file", host: str = "a.lab.test", **job: object) -> Job:
        """Put `file` on the web, and order it."""
        url = f"http://{host}/{name}"
        self.web.files[url] = file
        made = Job(url, name, id=name, **job)  # type: ignore[arg-type]  # whatever a test gives
        self.engine.submit(made)
        return made

    def run(self) -> None:
        """Until nothing is left to do."""
        self.pool.run(self.clock)

    def status(self, name: str = "file") -> Status:
        return self.engine.status(name)

    def assert_done(self, file: File, name: str = "file") -> Status:
        """`name` has ended with the present content of `file`, and left nothing behind."""
        status = self.status(name)
        assert (status.state, status.error) == (State.DONE, None)
        assert self.disk.published[name] == file.content()
        assert status.received == file.size
        assert status.sha256 in (None, hashlib.sha256(file.content()).hexdigest())
        assert name not in self.disk.parts
        assert name not in self.disk.checkpoints
        return status
