"""What the engine promises, one promise a test, in a simulated world."""

import hashlib
from typing import Any

import pytest
from tests.unit.downloader.bench import Bench
from tests.unit.downloader.world import File

from downloader.contract import Busy, Conflict, InvalidJob, Job, Limits, State, UnknownJob

MIB = 1024 * 1024
BIG = 6 * MIB


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, BIG])
@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("length", [True, False])
def test_a_file_of_any_size(bench: type[Bench], size: int, ranges: bool, length: bool) -> None:
    here, file = bench(), File(size, ranges=ranges, length=length)
    here.add(file)
    here.run()
    assert here.assert_done(file).retries <= 1
    assert [status.state for status in here.ended] == [State.DONE]


@pytest.mark.parametrize(("size", "told"), [(1000, {"gather"}), (BIG, {"spread"})])
def test_small_files_keep_workers_together_and_bulk_spreads_them(
    bench: type[Bench], size: int, told: set[str]
) -> None:
    here = bench()
    for number in range(3):
        here.add(File(size, seed=number), name=f"file-{number}")
    here.run()
    assert here.told == told


@pytest.mark.parametrize("etag", ["strong", "weak", "none"])
@pytest.mark.parametrize("dated", [True, False])
def test_a_file_that_changes_between_two_ranges_is_never_mixed(
    bench: type[Bench], etag: str, dated: bool
) -> None:
    here, file = bench(), File(BIG, etag=etag, dated=dated, faults=["change", ""])
    here.add(file)
    here.run()
    here.assert_done(file)
    assert file.version == 1


@pytest.mark.parametrize("etag", ["weak", "none"])
def test_what_nothing_identifies_is_never_gone_on_with(bench: type[Bench], etag: str) -> None:
    """Also when the next attempt comes so early that the part file is still open."""
    here = bench(limits=Limits(retry_base=0.0))
    file = File(MIB - 1, etag=etag, dated=False, faults=["change", "drop"])
    file.headers = lambda: {"etag": 'W/"same"'} if etag == "weak" else {}  # type: ignore[method-assign]
    here.add(file)
    here.run()
    assert here.assert_done(file).restarts == 1


def test_what_nothing_identifies_starts_over_after_a_pause_too_short_to_notice(bench: type[Bench]) -> None:
    here, file = bench(), File(MIB - 1, etag="none", dated=False)
    here.web.piece = lambda: 1000  # type: ignore[method-assign]
    here.add(file)

    def pause_change_resume() -> None:
        if here.status().received and not file.version:
            here.engine.pause("file")
            file.version = 1
            here.engine.resume("file")

    here.web.meanwhile = pause_change_resume
    here.run()
    here.assert_done(file)


def test_a_server_without_ranges_that_speaks_of_ranges_is_not_asked_for_ever(bench: type[Bench]) -> None:
    here = bench()
    here.add(File(1000, faults=["416"] * 100))
    here.run()
    assert here.status().error == "the server answered 416"
    assert len(here.web.requests) == 2


def test_a_server_that_refuses_its_own_etag_is_asked_by_date(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG)
    file.accepts = lambda condition: condition is None or not condition.startswith('"')  # type: ignore[method-assign]
    here.add(file)
    here.run()
    here.assert_done(file)
    assert any(headers.get("if-range", "").endswith("GMT") for _, headers in here.web.requests)


@pytest.mark.parametrize(
    ("fault", "reason"), [("drop", "connection"), ("timeout", "timeout"), ("503", "http")]
)
def test_what_is_worth_a_retry_is_retried_and_counted(bench: type[Bench], fault: str, reason: str) -> None:
    here, file = bench(), File(BIG, faults=[fault] * 3)
    here.add(file)
    here.run()
    here.assert_done(file)
    assert dict(here.engine.stats().retries) == {reason: 3}


@pytest.mark.parametrize("fault", ["400", "401", "403", "404", "410"])
def test_what_is_not_worth_a_retry_fails_at_once(bench: type[Bench], fault: str) -> None:
    here = bench()
    here.add(File(BIG, faults=[fault]))
    here.run()
    assert (here.status().state, here.status().error) == (State.FAILED, f"the server answered {fault}")
    assert len(here.web.requests) == 1


def test_a_dropped_connection_costs_no_byte_twice(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG, faults=["drop"] * 4)
    here.add(file)
    here.run()
    here.assert_done(file)
    assert here.engine.stats().bytes_received == BIG


def test_retry_after_is_waited_for(bench: type[Bench]) -> None:
    here = bench()
    began = here.clock.monotonic()
    here.add(File(1000, faults=["429", "503"]))
    here.run()
    assert here.clock.monotonic() - began >= 6.0


def test_given_up_after_the_total_of_waits(bench: type[Bench]) -> None:
    here = bench(limits=Limits(retry_total=20))
    here.add(File(1000, faults=["reset"] * 1000))
    here.run()
    assert here.status().state is State.FAILED
    assert "given up after" in str(here.status().error)


def test_a_wrong_checksum_is_tried_once_more_and_never_visible(bench: type[Bench]) -> None:
    here = bench()
    here.add(File(BIG), sha256="0" * 64)
    here.run()
    assert here.status().state is State.FAILED
    assert here.disk.published == here.disk.parts == here.disk.checkpoints == {}
    assert dict(here.engine.stats().retries) == {"checksum": 1}


def test_a_right_checksum_is_reported(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG)
    here.add(file, sha256=hashlib.sha256(file.content()).hexdigest())
    here.run()
    assert here.assert_done(file).sha256 == hashlib.sha256(file.content()).hexdigest()


@pytest.mark.parametrize("step", ["create", "write", "publish"])
def test_a_disk_that_fails_fails_that_download_cleanly(bench: type[Bench], step: str) -> None:
    here, other = bench(), File(5)
    here.disk.failing = {step}
    here.add(File(BIG))
    here.run()
    assert here.status().state is State.FAILED
    assert "no space left" in str(here.status().error)
    here.disk.failing = set()
    here.add(other, "other")
    here.run()
    here.assert_done(other, "other")
    assert (here.disk.parts, here.disk.open, here.web.open.total()) == ({}, 0, 0)


def test_a_full_disk_is_seen_before_the_first_byte(bench: type[Bench]) -> None:
    here = bench()
    here.disk.room = 1000
    here.add(File(BIG))
    here.run()
    assert "the disk is full" in str(here.status().error)
    assert here.engine.stats().bytes_received == 0


def test_checkpoints_that_cannot_be_written_end_the_download(bench: type[Bench]) -> None:
    here = bench()
    here.disk.failing = {"save"}
    here.add(File(BIG))
    here.run()
    assert here.status().state is State.FAILED
    assert here.disk.open == 0


def test_pause_keeps_and_resume_goes_on(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG)
    here.add(file)
    actions: list[Any] = [None] * 4 + [lambda: here.engine.pause("file")]
    here.web.meanwhile = lambda: actions and (actions.pop(0) or bool)()
    here.run()
    paused = here.status()
    assert paused.state is State.PAUSED
    assert 0 < paused.received < BIG
    here.engine.resume("file")
    here.run()
    here.assert_done(file)
    assert here.engine.stats().bytes_received == BIG


def test_cancel_leaves_nothing(bench: type[Bench]) -> None:
    here = bench()
    here.add(File(BIG))
    actions: list[Any] = [None] * 4 + [lambda: here.engine.cancel("file")]
    here.web.meanwhile = lambda: actions and (actions.pop(0) or bool)()
    here.run()
    assert [status.state for status in here.ended] == [State.CANCELLED]
    assert (here.disk.published, here.disk.parts, here.disk.checkpoints, here.disk.open) == ({}, {}, {}, 0)


def test_bounds_on_workers_and_hosts_hold(bench: type[Bench]) -> None:
    limits = Limits(workers=5, per_host=2, per_download=3)
    here = bench(limits=limits)
    here.web.meanwhile = lambda: _run_another(here)
    for number in range(12):
        here.add(File(BIG, number), f"f{number}", f"{number % 3}.lab.test")
    here.run()
    assert here.web.most[""] <= 5
    assert {host: count for host, count in here.web.most.items() if host and count > 2} == {}
    assert here.web.most[""] >= 4, "the workers were never busy together: the bound was not tried"


def _run_another(here: Bench) -> None:
    meanwhile, here.web.meanwhile = here.web.meanwhile, lambda: _run_another(here)
    if here.pool.executors[0].tasks and here.web.open.total() < 5:
        here.pool.executors[0].run_one(here.pool._random)
    here.web.meanwhile = meanwhile


def test_higher_priority_starts_first_and_ties_go_by_age(bench: type[Bench]) -> None:
    here = bench(limits=Limits(workers=1))
    here.add(File(1), "running")
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 9)):
        here.add(File(1), name, priority=priority)
    here.run()
    order = [url.rpartition("/")[2] for url, _ in here.web.requests]
    assert order == ["running", "d", "b", "a", "c"]


def test_stop_returns_what_is_unfinished_and_starts_nothing_more(bench: type[Bench]) -> None:
    here = bench(limits=Limits(workers=1))
    here.add(File(1), "a")
    here.add(File(1), "b")
    assert {job.id for job in here.engine.stop(0.0)} == {"a", "b"}
    here.run()
    assert here.web.requests == []
    with pytest.raises(Busy, match="stopping"):
        here.engine.submit(Job("http://a.lab.test/c", "c"))


def test_errors_say_what_and_change_nothing(bench: type[Bench]) -> None:
    here = bench(limits=Limits(jobs=1))
    job = here.add(File(1))
    for wrong, error in (
        (Job("http://a.lab.test/x", "x"), Busy),
        (Job("gopher://a/x", "x"), InvalidJob),
    ):
        with pytest.raises(error):
            here.engine.submit(wrong)
    for method in (
        here.engine.pause,
        here.engine.resume,
        here.engine.cancel,
        here.engine.forget,
        here.status,
    ):
        with pytest.raises(UnknownJob, match="'none'"):
            method("none")
    with pytest.raises(Conflict, match="not ended"):
        here.engine.forget(job.id)
    here.run()
    with pytest.raises(Conflict, match="done"):
        here.engine.pause(job.id)
    here.engine.forget(job.id)
    with pytest.raises(UnknownJob):
        here.status()


def test_one_destination_has_one_download(bench: type[Bench]) -> None:
    here = bench()
    here.add(File(1))
    with pytest.raises(Conflict, match="another download already goes to 'file'"):
        here.engine.submit(Job("http://b.lab.test/file", "file"))


def test_a_retry_by_the_user_after_failure(bench: type[Bench]) -> None:
    here, file = bench(), File(BIG, faults=["404"])
    here.add(file)
    here.run()
    here.engine.resume("file")
    here.run()
    here.assert_done(file)
    assert [status.state for status in here.ended] == [State.FAILED, State.DONE]
