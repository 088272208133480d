"""What one life of the engine leaves to the next."""

import pytest
from tests.unit.downloader.bench import Bench
from tests.unit.downloader.world import File

from downloader.contract import Job, Limits, State

BIG = 6 * 1024 * 1024


def test_another_life_goes_on_from_the_checkpoint(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG)
    job = here.add(file)
    here.pool.executors[0].run_one(here.pool._random)
    here.restart()
    here.engine.start([job])
    here.run()
    here.assert_done(file)
    assert here.engine.stats().bytes_resumed > 0
    assert here.engine.stats().bytes_received < BIG


class Killed(BaseException):
    """The end of a life."""


def test_a_life_that_ends_after_a_new_beginning_leaves_no_checkpoint_of_before(bench: type[Bench]) -> None:
    here, file = bench(limits=Limits(per_download=1)), File(BIG, faults=["shift", "drop"])
    job = here.add(file)

    def kill_at_the_first_byte_of_the_whole() -> None:
        if here.web.requests and "range" not in here.web.requests[-1][1]:
            raise Killed

    here.web.meanwhile = kill_at_the_first_byte_of_the_whole
    with pytest.raises(Killed):
        here.run()
    here.web.meanwhile = bool
    here.restart()
    here.engine.start([job])
    here.run()
    here.assert_done(file)


def test_a_file_that_changed_between_two_lives_starts_over(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG)
    job = here.add(file)
    here.pool.executors[0].run_one(here.pool._random)
    file.version = 1
    here.restart()
    here.engine.start([job])
    here.run()
    assert here.assert_done(file).restarts == 1


def test_more_jobs_than_the_limit_are_taken_over_from_an_earlier_life(bench: type[Bench]) -> None:
    here = bench(limits=Limits(jobs=2))
    jobs = [Job(f"http://a.lab.test/{name}", name, id=name) for name in "abcd"]
    here.web.files = {job.url: File(10) for job in jobs}
    here.engine.start([*jobs, Job("nonsense", "e", id="e"), Job(jobs[0].url, "a", id="f")])
    here.run()
    states = {status.job.id: status.state for status in here.ended}
    assert states == {**dict.fromkeys("abcd", State.DONE), "e": State.FAILED, "f": State.FAILED}
