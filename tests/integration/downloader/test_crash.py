"""What a killed downloader had accepted, its next life completes, and fetches little of it again.

To print the figures: `.venv/bin/pytest -s tests/integration/downloader/test_crash.py`
"""

import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

KIB, MIB = 1024, 1024 * 1024
SIZES = {64 * KIB: 80, 512 * KIB: 50, 2 * MIB: 40, 6 * MIB: 20, 16 * MIB: 10}
COUNT, TOTAL = sum(SIZES.values()), sum(size * count for size, count in SIZES.items())
KILL_AT, RATE = 0.6 * TOTAL, 8 * MIB


def files(web: "Web", name: str) -> list[str]:
    """Two hundred addresses of twenty hosts, large and small mixed."""
    sizes = [size for size, count in SIZES.items() for _ in range(count)]
    Random(1).shuffle(sizes)
    return [web.file(f"{name}{number}", size, f"d{number % 20}") for number, size in enumerate(sizes)]


def report(service: "Downloader", at_kill: dict[str, float], sent: float) -> float:
    """Print the figures; returns the bytes that the origin sent twice, by its own count.

    That count is an upper bound: it has what lay in the buffers of the killed process's sockets, too.
    """
    again = sent - TOTAL
    received = service.metric("downloader_received_bytes_total") - (TOTAL - at_kill["on_disk"])
    print(
        f"\nkill -9 during {COUNT} downloads of {TOTAL / MIB:.0f} MiB: {at_kill['ended']:.0f} had ended, "
        f"{at_kill['in_flight']:.0f} were in mid-flight, {at_kill['on_disk'] / MIB:.1f} MiB were on the disk.\n"
        f"Fetched again: {again / MIB:.2f} MiB by the origin's count ({again / at_kill['on_disk']:.2%} of what "
        f"was on the disk), {received / MIB:.2f} MiB by the service's ({received / at_kill['on_disk']:.2%})."
    )
    return again


def test_kill_9_during_200_downloads_loses_nothing_and_fetches_little_again(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(bandwidth=RATE)
    sent = web.metric("origin_bytes_sent_total")
    job_ids = service.create(*files(web, "crash"))
    patience(lambda: service.metric("downloader_received_bytes_total") > KILL_AT, 50)
    service.kill()
    at_kill = {
        "on_disk": service.bytes_on_disk(),
        "ended": service.files_on_disk(),
        "in_flight": len(list((service.folder / "data" / "parts").glob("*.part"))),
    }
    web.faults()
    service.start()
    ends = service.ended(job_ids)
    assert [end["state"] for end in ends] == ["done"] * COUNT
    assert all(service.is_right(end) and not end["restarts"] for end in ends)
    again = report(service, at_kill, web.metric("origin_bytes_sent_total") - sent)
    assert at_kill["in_flight"] >= 4, "too little was in mid-flight to tell"
    assert 0 <= again < 0.05 * at_kill["on_disk"]
    assert not list((service.folder / "data" / "parts").iterdir()), "parts are left over"
    told = [message["id"] for messages in service.files().values() for message in messages]
    assert sorted(set(told)) == sorted(job_ids), "an end was not told, or under another name"
    assert len(told) <= COUNT + 1, "only what was just being told at the kill may be told twice"


def test_what_was_to_be_cancelled_is_after_a_kill(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    """The kill comes after the wish was remembered, and before the engine has done it."""
    web.faults(bandwidth=MIB)
    (job_id,) = service.create(web.file("cancelled-by-a-dead", 8 * MIB))
    patience(lambda: service.look(job_id)["received"] > MIB)
    service.kill()
    record = json.loads(service.redis.hget("lab:downloader:records", job_id) or "")
    service.redis.hset("lab:downloader:records", job_id, json.dumps({**record, "state": "cancelled"}))
    assert list((service.folder / "data").glob(f"parts/{job_id}*"))
    service.start()
    assert service.look(job_id)["state"] == "cancelled"
    patience(lambda: service.redis.zscore("lab:downloader:finished", job_id))
    assert not list((service.folder / "data").glob(f"*/{job_id}*"))
