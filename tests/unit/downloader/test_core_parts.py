"""The plan, the checkpoint, the backoff, the rate and what is valid: pure, so checked over many values."""

import json
from random import Random

import pytest

from downloader.contract import ConnectionLost, HttpError, InvalidJob, Job, Limits, Stalled
from downloader.core.checkpoint import Checkpoint, decode
from downloader.core.http import Validator
from downloader.core.pace import Pace
from downloader.core.plan import Plan
from downloader.core.rate import Rate
from downloader.core.retry import Backoff
from downloader.core.validate import check, place_of

SOUND = Checkpoint("http://a/b", Validator('"1"', None, 100), [(0, 40), (60, 80)], "boot", synced=True)


@pytest.mark.parametrize("seed", range(50))
def test_a_plan_hands_out_every_byte_once(seed: int) -> None:
    random = Random(seed)
    total = random.randrange(0, 500)
    plan, fetched, blocks = Plan(total, random.randrange(1, 80)), bytearray(total), []
    while not plan.complete:
        if plan.has_missing and random.random() < 0.6:
            blocks.append(plan.take())
        block = random.choice(blocks) if blocks else None
        if block is None:
            continue
        assert block.left is not None
        count = random.randrange(0, block.left + 1)
        for position in range(block.position, block.position + count):
            fetched[position] += 1
        plan.advance(block, count)
        if block.left == 0 or random.random() < 0.2:
            plan.give_back(block)
            blocks.remove(block)
        assert plan.received == sum(fetched)
        assert all(fetched[: plan.frontier])
        assert sum(end - start for start, end in plan.here()) == plan.received
    assert fetched == bytearray([1]) * total


def test_a_plan_of_unknown_size_ends_where_the_body_ends() -> None:
    plan = Plan(None)
    block = plan.take()
    assert block is not None
    plan.advance(block, 7)
    assert not plan.complete
    plan.finish(block)
    assert plan.complete
    assert plan.total == 7


def test_a_checkpoint_survives_the_disk() -> None:
    assert decode(SOUND.encode()) == SOUND


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"here": [[0, 40], [30, 80]]},
        {"here": [[60, 80], [0, 40]]},
        {"here": [[-1, 40]]},
        {"here": [[0, 101]]},
        {"here": [[5, 5]]},
        {"here": [[0, float("inf")]]},
        {"here": 3},
        {"validator": {"etag": 3, "last_modified": None, "total": 100}},
        {"validator": {"etag": '"1"', "last_modified": None, "total": None}},
        {"more": 1},
    ],
)
def test_a_damaged_checkpoint_is_none(change: dict[str, object]) -> None:
    assert decode(json.dumps(json.loads(SOUND.encode()) | change).encode()) is None


@pytest.mark.parametrize("seed", range(200))
def test_no_bytes_make_decode_raise(seed: int) -> None:
    random, raw = Random(seed), bytearray(SOUND.encode())
    for _ in range(random.randrange(1, 6)):
        raw[random.randrange(len(raw))] = random.randrange(256)
    found = decode(bytes(raw[: random.randrange(len(raw) + 1)]))
    assert found is None or found.sound


def test_another_boot_trusts_only_what_was_synced() -> None:
    assert SOUND.serves("http://a/b", "later")
    unsynced = Checkpoint("http://a/b", SOUND.validator, SOUND.here, "boot", synced=False)
    assert unsynced.serves("http://a/b", "boot")
    assert not unsynced.serves("http://a/b", "later")
    assert not SOUND.serves("http://a/c", "boot")


def test_backoff_doubles_up_to_its_cap_with_full_jitter() -> None:
    class Largest(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    backoff, limits = Backoff(), Limits(retry_base=1, retry_cap=8, retry_total=1000)
    delays = [backoff.delay(ConnectionLost(), limits, Largest()) for _ in range(6)]
    assert delays == [1, 2, 4, 8, 8, 8]


def test_backoff_gives_up_at_the_total_and_begins_anew_with_progress() -> None:
    backoff, limits, random = Backoff(), Limits(retry_base=10, retry_cap=10, retry_total=25), Random(1)
    delays = list(iter(lambda: backoff.delay(ConnectionLost(), limits, random), None))
    assert 2 <= len(delays) <= 3
    backoff.progressed()
    assert backoff.delay(ConnectionLost(), limits, random) is not None


def test_backoff_counts_every_retry_whatever_the_progress() -> None:
    backoff, limits = Backoff(), Limits(retries=3)
    for _ in range(3):
        assert backoff.delay(ConnectionLost(), limits, Random(1)) is not None
        backoff.progressed()
    assert backoff.delay(ConnectionLost(), limits, Random(1)) is None


def test_retry_after_is_a_lower_bound_and_a_too_long_one_ends_it() -> None:
    backoff, limits = Backoff(), Limits(retry_total=60)
    delay = backoff.delay(HttpError(503, 20.0), limits, Random(1))
    assert delay == 20.0
    error = HttpError(503, 3600.0)
    assert backoff.delay(error, limits, Random(1)) is None
    assert "3600 s" in backoff.explain(error, limits)


def test_a_rate_is_of_the_last_seconds_only() -> None:
    rate = Rate(window=5.0)
    for tenth in range(100):
        rate.add(100, tenth / 10)
    assert rate.value(9.9) == pytest.approx(1000, rel=0.12)
    assert rate.value(20.0) == 0.0


def test_pace_tells_slow_from_stalled() -> None:
    limits = Limits(stall_seconds=10, stall_rate=64)
    slow = Pace(limits, 0.0)
    for second in range(1, 40):
        slow.add(64, float(second))
    stalled = Pace(limits, 0.0)
    stalled.add(600, 9.0)
    with pytest.raises(Stalled, match="only 639 bytes came in 10 s"):
        stalled.add(39, 10.0)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/b",
        "file:///etc/passwd",
        "http://",
        "http:///b",
        "//a/b",
        "a/b",
        "",
        "http://a:99999/",
        "http://a:0/",
        "http://a:x/",
        "http://user:secret@a/",
        "http://a\r\nx: y/",
        "http://a b/",
        "http://ä.example/",
        "http://[::1/",
        "http://[zz]/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidJob, match="cannot be fetched"):
        check(Job(url, "file"))


@pytest.mark.parametrize("sha256", ["", "a" * 63, "A" * 64, "g" * 64])
def test_checksums_that_are_refused(sha256: str) -> None:
    with pytest.raises(InvalidJob, match="SHA-256"):
        check(Job("http://a/b", "file", sha256))


def test_two_spellings_of_a_place_are_one() -> None:
    assert place_of("http://Example.COM./x") == place_of("http://example.com:80/y")
    assert place_of("https://[::1]:8443/").named == "[::1]:8443"
    assert place_of("http://[::1]/").authority == "[::1]"
    assert place_of("http://a:8080/").authority == "a:8080"
