"""Progress: what is counted is what came."""

from downloader.checks.world import MIB, World
from downloader.contract import DownloadManager
from lab.grader import Explore
from lab_kit.ports import Ports


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
        counted, sent = manager.stats().bytes_received, world.web.sent.total()
        manager.shutdown()
        assert counted == sent, f"{sent:,} bytes were sent, stats().bytes_received says {counted:,}"

    explore(scenario)
