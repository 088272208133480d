"""The network fails: what is worth it is tried again, and nothing wrong gets a file's name."""

from downloader.checks.web import Trouble
from downloader.checks.world import KIB, LIMITS, MIB, World
from downloader.contract import DownloadManager, State
from lab.grader import Explore, requires
from lab_kit.ports import Ports


def test_a_404_is_final(explore: Explore) -> None:
    """What the server does not have is asked for once, and fails with a reason."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("missing", KIB)
        del world.web.pages[job.url]
        manager.submit(job)
        end = manager.wait(job.id)
        manager.shutdown()
        asked = len(world.web.asks(job.url))
        assert asked == 1, f"it was asked for {asked} times"
        assert end.state is State.FAILED, f"it is {end.state}"
        assert end.error, "the status has no error"

    explore(scenario, schedules=4)


def test_retries_back_off(explore: Explore) -> None:
    """After the n-th failure in a row the wait is random, at most retry_base * 2^n and at most retry_cap; then the
    file comes."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        jobs = [world.job("one", KIB), world.job("two", KIB)]
        for job in jobs:
            world.web.trouble(job.url, *[Trouble(status=503)] * 5)
            manager.submit(job)
        ends = [manager.wait(job.id) for job in jobs]
        manager.shutdown()
        waits = [world.web.waits(job.url) for job in jobs]
        requires(world.web.fired["503"] >= 2, "the error 503")
        for job, end, each in zip(jobs, ends, waits, strict=True):
            assert end.state is State.DONE, f"after 5 failures in a row {job.id} is {end.state}: {end.error}"
            assert end.retries == 5, f"{job.id} was tried again 5 times, its status says {end.retries}"
            for number, wait in enumerate(each):
                most = min(LIMITS.retry_cap, LIMITS.retry_base * 2**number)
                assert wait <= most + 0.1, f"{wait:.2f} s before retry {number + 1}, at most {most:.2f} s"
            assert sum(each) >= LIMITS.retry_base, f"5 retries within {sum(each):.2f} s"
        assert waits[0] != waits[1], f"both were tried again at the same moments: {waits[0]} (no jitter)"

    explore(scenario, schedules=6)


def test_retry_after_is_obeyed(explore: Explore) -> None:
    """A server that asks for seven seconds gets seven seconds."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("busy", KIB)
        world.web.trouble(job.url, *[Trouble(status=429, headers={"retry-after": "7"})] * 2)
        manager.submit(job)
        end = manager.wait(job.id)
        manager.shutdown()
        requires(world.web.fired["429"] > 0, "the answer 429")
        assert end.state is State.DONE, f"it is {end.state}: {end.error}"
        waits = world.web.waits(job.url)
        assert min(waits) >= 7.0, f"Retry-After said 7 s, the waits were {waits}"

    explore(scenario, schedules=4)


def test_gives_up_in_the_end(explore: Explore) -> None:
    """A server that never recovers is not asked for ever: the waits add up to retry_total at most, and the
    download fails."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("down", KIB)
        world.web.trouble(job.url, *[Trouble(status=500)] * 1000)
        manager.submit(job)
        end = manager.wait(job.id, 1000.0)
        manager.shutdown(drain=False)
        asked, waited = len(world.web.asks(job.url)), sum(world.web.waits(job.url))
        assert end.state is State.FAILED, f"after {asked} requests it is {end.state}"
        assert 3 < asked <= LIMITS.retries + 1, f"it was asked for {asked} times"
        assert waited <= LIMITS.retry_total + 0.1, (
            f"{waited:.0f} s of waits, at most {LIMITS.retry_total:.0f}"
        )

    explore(scenario, schedules=4)


def test_goes_on_after_a_drop(explore: Explore) -> None:
    """After a connection was lost, what is here is kept: only the rest is fetched."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("file", MIB)
        world.web.trouble(job.url, Trouble(drop_after=512 * KIB), Trouble(drop_after=100 * KIB))
        manager.submit(job)
        end = manager.wait(job.id)
        manager.shutdown()
        requires(world.web.fired["drop"] == 2, "the lost connection")
        assert end.state is State.DONE, f"it is {end.state}: {end.error}"
        assert world.whole(job), "the file is another one than the server's"
        sent = world.web.sent[job.url]
        assert sent <= MIB + 64 * KIB, f"{sent:,} bytes were fetched for a file of {MIB:,}"

    explore(scenario, schedules=8)


def test_a_short_body_is_no_file(explore: Explore) -> None:
    """A body that ends before its Content-Length is a lost connection, not a file."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("file", MIB)
        world.web.trouble(job.url, Trouble(drop_after=300 * KIB, short=True))
        manager.submit(job)
        end = manager.wait(job.id)
        manager.shutdown()
        requires(world.web.fired["drop"] == 1, "the short body")
        assert end.state is State.DONE, f"it is {end.state}: {end.error}"
        size = len(world.disk.files[job.destination])
        assert world.whole(job), f"{size:,} bytes appeared under the name of a file of {MIB:,}"

    explore(scenario, schedules=4)


def test_never_stitches_two_versions(explore: Explore) -> None:
    """When the file on the server has become another one, the download starts over, and `restarts` says so."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("file", MIB)
        world.web.trouble(job.url, Trouble(drop_after=512 * KIB, then=lambda: world.change(job)))
        manager.submit(job)
        end = manager.wait(job.id)
        manager.shutdown()
        requires(world.web.fired["drop"] == 1, "the change between two requests")
        assert end.state is State.DONE, f"it is {end.state}: {end.error}"
        assert world.whole(job), "the file is not the one on the server: two versions were joined"
        assert end.restarts == 1, f"it started over once, restarts says {end.restarts}"

    explore(scenario, schedules=6)
