"""The engine's promises under random faults, users and interleavings: each seed is another story, replayable."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from threading import Thread

import pytest
from tests.unit.downloader.bench import Bench
from tests.unit.downloader.world import File, Web

from downloader.contract import DownloadError, Job, Limits, State, Status

MIB = 1024 * 1024
SIZES = (0, 1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB + 7, 6 * MIB)
FAULTS = ("drop", "drop", "503", "429", "404", "timeout", "reset", "change", "whole", "shift")
LIMITS = Limits(workers=4, per_host=3, per_download=3)
SEEDS = range(int(os.environ.get("LAB_SEEDS", "60")))


def _elsewhere(task: Callable[[], None]) -> None:
    """Run `task` to its end on a thread of its own, as a worker has one."""
    thread = Thread(target=task)
    thread.start()
    thread.join()


class Story:
    """A few downloads; whenever an engine waits for the world, users and other workers act."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.bench = Bench(seed, LIMITS, Web(Random(seed)))
        self.jobs: dict[str, Job] = {}
        self.seen: dict[str, Status] = {}
        self.depth = 0
        self.nagging = True
        self.broken: list[AssertionError] = []
        self.bench.web.meanwhile = self.bench.disk.meanwhile = self.meanwhile
        for number in range(self.random.randrange(1, 6)):
            self._order(f"f{number}")

    def _order(self, name: str) -> None:
        random = self.random
        file = File(
            random.choice(SIZES),
            seed=random.random(),  # type: ignore[arg-type]  # anything that names a stream of bytes
            etag=random.choice(("strong", "strong", "weak", "none")),
            dated=random.random() < 0.7,
            ranges=random.random() < 0.8,
            length=random.random() < 0.8,
            faults=[random.choice(FAULTS) for _ in range(random.randrange(5))],
        )
        while file.faults.count("change") > 2:
            file.faults.remove("change")
        self.jobs[name] = self.bench.add(file, name, random.choice(("a.lab.test", "b.lab.test")))

    def meanwhile(self) -> None:
        """What happens while one worker waits: up to three others run inside its wait."""
        if self.depth > 3 or self.random.random() < 0.5:
            return
        self.depth += 1
        self._act()
        self.depth -= 1

    def _act(self) -> None:
        try:
            self.check()
        except AssertionError as error:  # an engine would take it for a failure of the world
            self.broken.append(error)
        ready = [executor for executor in self.bench.pool.executors if executor.tasks]
        if ready and self.random.random() < 0.8:
            _elsewhere(partial(self.random.choice(ready).run_one, self.random))
        elif self.nagging:
            name, engine = self.random.choice(list(self.jobs)), self.bench.engine
            with suppress(DownloadError):
                self.random.choice((engine.pause, engine.resume, engine.resume, engine.cancel))(name)

    def check(self) -> None:
        """Holds at every moment."""
        statuses = {name: self.bench.engine.status(name) for name in self.jobs}
        for name, status in statuses.items():
            before = self.seen.get(name)
            assert before is None or status.restarts > before.restarts or status.received >= before.received
        self.seen = statuses
        stats = self.bench.engine.stats()
        assert dict(stats.states) == dict.fromkeys(State, 0) | Counter(one.state for one in statuses.values())
        assert stats.busy <= LIMITS.workers

    def finish(self) -> None:
        """No more users; everything goes to its end."""
        self.bench.pool.run(self.bench.clock)
        self.nagging = False
        for name in self.jobs:
            with suppress(DownloadError):
                self.bench.engine.resume(name)
        self.bench.pool.run(self.bench.clock)

    def assert_kept_promises(self) -> None:
        web, disk = self.bench.web, self.bench.disk
        self.check()
        assert not self.broken, self.broken[0]
        assert web.most[""] <= LIMITS.workers
        assert all(web.most[host] <= LIMITS.per_host for host in web.most if host)
        assert (web.open.total(), disk.open) == (0, 0)
        for name, job in self.jobs.items():
            self._check_end(name, web.files[job.url], self.bench.engine.status(name))

    def _check_end(self, name: str, file: File, status: Status) -> None:
        assert status.state.final, f"{name} is {status.state}"
        assert (name in self.bench.disk.published) == (status.state is State.DONE)
        if status.state is State.DONE:
            found = self.bench.disk.published[name]
            assert any(found == file.content(version) for version in range(3)), f"{name} is mixed"
        if status.state is not State.FAILED:
            assert name not in self.bench.disk.parts
            assert name not in self.bench.disk.checkpoints


@pytest.mark.parametrize("seed", SEEDS)
def test_every_story_ends_well(seed: int) -> None:
    story = Story(seed)
    story.finish()
    story.assert_kept_promises()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_engine_is_continued_by_the_next(seed: int) -> None:
    story = Story(seed)
    random = Random(seed)
    for _ in range(random.randrange(1, 30)):
        ready = [executor for executor in story.bench.pool.executors if executor.tasks]
        if ready:
            random.choice(ready).run_one(random)
    story.nagging = False
    left = [job for name, job in story.jobs.items() if not story.bench.engine.status(name).state.final]
    story.bench.web.open.clear()
    story.bench.disk.open = 0
    story.bench.restart()
    story.jobs, story.seen = {job.id: job for job in left}, {}
    story.bench.engine.start(left)
    story.finish()
    story.assert_kept_promises()


def test_the_faults_of_the_stories_fire() -> None:
    fired: Counter[str] = Counter()
    for seed in range(30):
        story = Story(seed)
        story.finish()
        fired += story.bench.web.fired
    assert set(FAULTS) <= set(fired)


def test_the_promises_can_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault, ranges joined whatever they belong to, is seen by these checks."""
    monkeypatch.setattr("downloader.core.http.Validator.contradicts", lambda self, other: False)
    monkeypatch.setattr("downloader.core.http.Validator.if_range", lambda self, by_date: None)
    broken: list[Callable[[], None]] = []
    for seed in range(100, 160):
        story = Story(seed)
        story.finish()
        with suppress(AssertionError):
            story.assert_kept_promises()
            continue
        broken.append(story.assert_kept_promises)
    assert broken
