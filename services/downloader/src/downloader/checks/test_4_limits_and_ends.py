"""Bounds hold, and an engine that ends loses nothing and leaves nothing behind."""

from downloader.checks.world import KIB, MIB, World
from downloader.contract import Busy, DownloadManager, State
from lab.grader import Explore, requires
from lab_kit.ports import Ports


def test_workers_are_bounded(explore: Explore) -> None:
    """At most `limits.workers` transfers run at once, and that many do when enough is waiting."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=1.0)
        manager = world.start(limits=world.limits(workers=3, per_host=10))
        for number in range(6):
            manager.submit(world.job(f"file-{number}", KIB))
        manager.shutdown()
        most = world.web.most_open["all"]
        assert len(world.disk.files) == 6, f"{len(world.disk.files)} of 6 files came"
        assert most == 3, f"3 workers, but {most} transfers at once"

    explore(scenario, schedules=8)


def test_each_host_is_bounded(explore: Explore) -> None:
    """At most `limits.per_host` transfers go to one host at once; free workers then serve another host."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=1.0)
        manager = world.start(limits=world.limits(workers=3, per_host=2))
        for number in range(4):
            manager.submit(world.job(f"a-{number}", KIB))
        manager.submit(world.job("b", KIB, host="http://other.lab.test"))
        manager.shutdown()
        assert len(world.disk.files) == 5, f"{len(world.disk.files)} of 5 files came"
        most = world.web.most_open
        assert most["files.lab.test"] == 2, f"per_host is 2, but {most['files.lab.test']} at once to one host"
        assert most["all"] == 3, f"3 workers and 2 hosts, but only {most['all']} transfers at once"

    explore(scenario, schedules=8)


def test_shutdown_drains(explore: Explore) -> None:
    """`shutdown()` lets everything finish that was accepted; what is paused is returned, still paused."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        jobs = [world.job(f"file-{number}", KIB) for number in range(5)]
        for job in jobs:
            manager.submit(job)
        manager.submit(world.job("paused", KIB, paused=True))
        left = manager.shutdown()
        missing = [job.id for job in jobs if not world.whole(job)]
        assert not missing, f"not finished: {missing}"
        assert [(job.id, job.paused) for job in left] == [("paused", True)], f"it returned {left}"

    explore(scenario, schedules=10)


def test_stop_returns_the_unfinished(explore: Explore) -> None:
    """`stop(0)` ends at once; each accepted job is either final or returned; after it nothing is accepted or
    fetched."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        jobs = [world.job(f"file-{number}", MIB) for number in range(5)]
        for job in jobs:
            manager.submit(job)
        world.until(lambda: world.web.sent.total() > 0)
        left = [job.id for job in manager.stop(0.0)]
        asked = len(world.web.asked)
        try:
            manager.submit(world.job("late", KIB))
            late = "accepted"
        except Busy:
            late = "Busy"
        world.clock.sleep(60.0)
        final = [job.id for job in jobs if world.told(job)]
        assert sorted(left + final) == sorted(job.id for job in jobs), f"returned {left}, final {final}"
        assert late == "Busy", f"a job was {late} after stop()"
        assert len(world.web.asked) == asked, "it went on fetching after stop() had returned"

    explore(scenario, schedules=12)


def test_goes_on_after_a_restart(explore: Explore) -> None:
    """A new engine that is given the unfinished jobs goes on with what is on the disk."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        job = world.job("file", 2 * MIB)
        manager.submit(job)
        requires(world.until(lambda: manager.status(job.id).received >= MIB), "half of the transfer")
        left = manager.stop(0.0)
        successor = world.start(*left)
        end = successor.wait(job.id)
        successor.shutdown()
        assert [one.id for one in left] == [job.id], f"stop() returned {left}"
        assert end.state is State.DONE, f"it became {end.state}: {end.error}"
        assert world.whole(job), "the file is another one than the server's"
        sent = world.web.sent[job.url]
        assert sent <= 5 * MIB // 2, f"{sent:,} bytes were fetched for a file of {2 * MIB:,}"

    explore(scenario, schedules=8)


def test_survives_a_crash(explore: Explore) -> None:
    """Killed at any moment, what the next engine makes of the disk is the file of the server, whole."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        job = world.job("file", 3 * MIB)
        manager.submit(job)
        requires(world.until(lambda: manager.status(job.id).received >= MIB), "half of the transfer")
        found = world.disk.after_a_crash()
        manager.shutdown(drain=False)
        world.disk = found
        successor = world.start(job)
        end = successor.wait(job.id)
        successor.shutdown()
        assert end.state is State.DONE, f"it became {end.state}: {end.error}"
        assert world.whole(job), "the file is another one than the server's"

    explore(scenario, schedules=8)


def test_leaves_nothing_behind(explore: Explore) -> None:
    """After `shutdown()` every connection, file, pool and thread is gone, whatever had happened."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        for number in range(4):
            manager.submit(world.job(f"file-{number}", MIB))
        world.until(lambda: world.web.sent.total() > 0)
        manager.pause("file-0")
        manager.cancel("file-1")
        manager.shutdown(drain=False)
        assert world.web.open["all"] == 0, f"{world.web.open['all']} answers were never closed"
        assert world.disk.open == 0, f"{world.disk.open} files were never closed"
        assert world.all_pools_closed(), "a pool of threads was never shut down"

    explore(scenario, schedules=10)
