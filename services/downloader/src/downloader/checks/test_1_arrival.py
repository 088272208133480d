"""What comes is the file, whole, and counted exactly."""

import hashlib

from downloader.checks.world import KIB, MIB, World
from downloader.contract import DownloadManager, State
from lab.grader import Explore
from lab_kit.ports import Ports


def test_files_arrive_whole(explore: Explore) -> None:
    """A file appears under its name once, with the bytes of the server: a large one, an empty one, one that a
    server sends without ranges."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        jobs = [world.job("large", 3 * MIB), world.job("empty"), world.job("plain", 300 * KIB, ranges=False)]
        for job in jobs:
            manager.submit(job)
        ends = {job.id: manager.wait(job.id) for job in jobs}
        manager.shutdown()
        for job in jobs:
            assert ends[job.id].state is State.DONE, f"{job.id}: {ends[job.id].state}, {ends[job.id].error}"
            assert world.whole(job), f"{job.id}: the file is another one than the server's"
        assert sorted(world.disk.published) == sorted(job.destination for job in jobs)

    explore(scenario, schedules=8)


def test_no_update_is_lost(explore: Explore) -> None:
    """When several files come at once, the engine's count of bytes is exactly what was sent."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        jobs = [world.job(f"file-{number}", MIB) for number in range(3)]
        for job in jobs:
            manager.submit(job)
        for job in jobs:
            manager.wait(job.id)
        stats, sent = manager.stats(), world.web.sent.total()
        manager.shutdown()
        counted = stats.bytes_received
        assert counted == sent, f"{sent:,} bytes were sent, stats().bytes_received says {counted:,}"
        assert stats.states[State.DONE] == len(jobs), (
            f"{len(jobs)} are done, stats().states says {stats.states}"
        )

    explore(scenario, schedules=64)


def test_progress_is_exact(explore: Explore) -> None:
    """Whenever a user looks, `received` is what is in the file, it has not gone back, and a download that is done
    has everything."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        job = world.job("file", 3 * MIB)
        manager.submit(job)
        before, seen = 0, manager.status(job.id)
        while not seen.state.final:
            assert before <= seen.received <= world.disk.written, (
                f"{world.disk.written:,} bytes are written, received says {seen.received:,}, before {before:,}"
            )
            before, seen = seen.received, manager.wait(job.id, 0.07)
        manager.shutdown()
        assert seen.received == seen.total == 3 * MIB, f"done with {seen.received} of {seen.total} bytes"

    explore(scenario, schedules=12)


def test_checksum_guards_the_name(explore: Explore) -> None:
    """A file with another SHA-256 than was asked for never appears under its name; with the right one it does."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        wrong = world.job("wrong", 300 * KIB, sha256="0" * 64)
        right = world.job("right", 300 * KIB)
        digest = hashlib.sha256(world.web.pages[right.url].body).hexdigest()
        right = world.job("right", 300 * KIB, sha256=digest)
        for job in (wrong, right):
            manager.submit(job)
        bad, good = manager.wait(wrong.id), manager.wait(right.id)
        manager.shutdown()
        assert "wrong" not in world.disk.published, "a file with the wrong checksum has its final name"
        assert bad.state is State.FAILED, f"the download with the wrong checksum is {bad.state}"
        assert (good.state, good.sha256) == (State.DONE, digest), f"{good.state}, {good.sha256}: {good.error}"

    explore(scenario, schedules=6)
