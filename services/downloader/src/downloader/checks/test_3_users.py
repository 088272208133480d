"""Users change their minds, at any moment, several at once."""

import threading
from contextlib import suppress

from downloader.checks.web import Trouble
from downloader.checks.world import KIB, LIMITS, MIB, World
from downloader.contract import Busy, Conflict, DownloadError, DownloadManager, InvalidJob, State, UnknownJob
from lab.grader import Explore, requires
from lab_kit.ports import Ports


def test_pause_stops_and_resume_goes_on(explore: Explore) -> None:
    """While a download is paused nothing is fetched; resumed, it goes on with what is here."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        job = world.job("file", 2 * MIB)
        manager.submit(job)
        requires(world.until(lambda: manager.status(job.id).received > 0), "the beginning of the transfer")
        manager.pause(job.id)
        world.clock.sleep(0.3)
        paused, sent = manager.status(job.id), world.web.sent[job.url]
        world.clock.sleep(60.0)
        later = manager.status(job.id)
        assert paused.state is State.PAUSED, f"after pause() it is {paused.state}"
        assert paused.received < 2 * MIB, "it was paused at the beginning, and everything came"
        assert world.web.sent[job.url] == sent, (
            f"{world.web.sent[job.url] - sent:,} bytes came while it was paused"
        )
        assert later.received == paused.received, f"received went from {paused.received} to {later.received}"
        manager.resume(job.id)
        end = manager.wait(job.id)
        manager.shutdown()
        assert end.state is State.DONE, f"after resume() it became {end.state}: {end.error}"
        assert world.whole(job), "the file is another one than the server's"
        assert world.web.sent[job.url] < 4 * MIB, (
            f"{world.web.sent[job.url]:,} bytes were fetched for {2 * MIB:,}"
        )

    explore(scenario, schedules=10)


def test_a_hanging_read_can_be_interrupted(explore: Explore) -> None:
    """Pausing or cancelling a download whose read hangs frees its worker at once."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        stuck = [world.job(f"stuck-{number}", MIB) for number in range(LIMITS.workers)]
        for job in stuck:
            world.web.trouble(job.url, Trouble(hang=True))
            manager.submit(job)
        requires(world.until(lambda: world.web.fired["hang"] == len(stuck)), "the hanging read")
        manager.pause(stuck[0].id)
        manager.cancel(stuck[1].id)
        job = world.job("next", KIB)
        manager.submit(job)
        end = manager.wait(job.id, 60.0)
        left = manager.shutdown(drain=False)
        assert end.state is State.DONE, f"a minute later no worker was free: the next download is {end.state}"
        assert {job.id for job in left} == {stuck[0].id, stuck[2].id}, (
            f"stop() returned {[job.id for job in left]}"
        )

    explore(scenario, schedules=10)


def test_cancel_ends_and_discards(explore: Explore) -> None:
    """A cancelled download ends at once, its name never appears, and nothing of it stays on the disk."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        job = world.job("file", MIB)
        manager.submit(job)
        requires(world.until(lambda: manager.status(job.id).received > 0), "the beginning of the transfer")
        manager.cancel(job.id)
        end = manager.status(job.id)
        manager.shutdown()
        assert end.state is State.CANCELLED, f"after cancel() it is {end.state}"
        assert world.told(job) == [State.CANCELLED], f"its end was told as {world.told(job)}"
        assert not world.disk.published, "a cancelled download appeared under its name"
        left = [*world.disk.parts, *world.disk.checkpoints]
        assert not left, f"still on the disk: {left}"

    explore(scenario, schedules=15)


def test_each_end_is_told_once(explore: Explore) -> None:
    """When a user cancels a download that is just being finished, it either ends, and `cancel` raises Conflict, or
    it is cancelled; and `finished` hears of exactly that, once."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        jobs = [world.job(f"file-{number}", KIB) for number in range(2)]
        for job in jobs:
            manager.submit(job)
        cancelled = []
        for job in jobs:
            with suppress(Conflict):
                manager.cancel(job.id)
                cancelled.append(job.id)
        ends = {job.id: manager.wait(job.id).state for job in jobs}
        manager.shutdown()
        for job in jobs:
            assert world.told(job) == [ends[job.id]], (
                f"it is {ends[job.id]}, it was told as {world.told(job)}"
            )
            assert (job.id in cancelled) == (ends[job.id] is State.CANCELLED), (
                f"cancel() {'returned' if job.id in cancelled else 'raised Conflict'}, and it is {ends[job.id]}"
            )
            there = job.destination in world.disk.files
            assert there == (ends[job.id] is State.DONE), f"it is {ends[job.id]}, the file is there: {there}"

    explore(scenario, schedules=120)


def test_a_job_is_accepted_once(explore: Explore) -> None:
    """Of several users who submit the same job at the same moment, one succeeds; the others get Conflict."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=0.1)
        manager = world.start()
        answers: list[str] = []
        job = world.job("file", KIB)

        def submit() -> None:
            try:
                answers.append(manager.submit(job))
            except Conflict:
                answers.append("Conflict")

        _at_once(submit, 3)
        manager.wait(job.id)
        manager.shutdown()
        assert sorted(answers) == ["Conflict", "Conflict", job.id], f"the answers were {answers}"
        assert world.told(job) == [State.DONE], f"its end was told as {world.told(job)}"

    explore(scenario, schedules=40)


def test_queue_is_bounded(explore: Explore) -> None:
    """At most `limits.jobs` unfinished downloads are accepted, however many ask at once; the others get Busy."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=10.0)
        manager = world.start(limits=world.limits(jobs=2))
        answers: list[str] = []
        jobs = [world.job(f"file-{number}", KIB) for number in range(4)]
        waiting = iter(jobs)

        def submit() -> None:
            try:
                answers.append("accepted" if manager.submit(next(waiting)) else "")
            except Busy:
                answers.append("Busy")

        _at_once(submit, 4)
        manager.shutdown()
        assert answers.count("accepted") == 2, f"room for 2; the answers were {answers}"
        assert len(world.disk.files) == 2, f"{len(world.disk.files)} files came"

    explore(scenario, schedules=40)


def test_mistakes_change_nothing(explore: Explore) -> None:
    """What cannot be done raises the error of the contract, and everything else goes on as before."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports)
        manager = world.start()
        job = world.job("file", KIB)
        raised = [
            _error(lambda: manager.submit(world.job("other", KIB, url="ftp://files.lab.test/other"))),
            _error(lambda: manager.submit(world.job("other", KIB, sha256="abc"))),
            _error(lambda: manager.status("nobody")),
            _error(lambda: manager.cancel("nobody")),
        ]
        manager.submit(job)
        manager.wait(job.id)
        raised += [_error(lambda: manager.pause(job.id)), _error(lambda: manager.resume(job.id))]
        states = manager.stats().states
        manager.shutdown()
        expected = [InvalidJob, InvalidJob, UnknownJob, UnknownJob, Conflict, Conflict]
        assert raised == expected, f"{[kind and kind.__name__ for kind in raised]} instead of {expected}"
        assert sum(states.values()) == 1, f"one job was accepted, stats().states says {states}"

    explore(scenario, schedules=3)


def test_higher_priority_starts_earlier(explore: Explore) -> None:
    """Among those that wait, the one with the highest priority is next."""

    def scenario(engine: type[DownloadManager], ports: Ports) -> None:
        world = World(engine, ports, latency=1.0)
        manager = world.start(limits=world.limits(workers=1))
        for name, priority in (("first", 0), ("low", -1), ("middle", 0), ("high", 5)):
            manager.submit(world.job(name, KIB, priority=priority))
            world.until(lambda: bool(world.web.asked))
        manager.shutdown()
        order = list(dict.fromkeys(asked.url.rpartition("/")[2] for asked in world.web.asked))
        assert order == ["first", "high", "middle", "low"], f"they started in the order {order}"

    explore(scenario, schedules=6)


def _at_once(action: object, users: int) -> None:
    threads = [threading.Thread(target=action, name=f"user-{number}") for number in range(users)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _error(action: object) -> type[DownloadError] | None:
    try:
        action()  # type: ignore[operator]
    except DownloadError as error:
        return type(error)
    return None
