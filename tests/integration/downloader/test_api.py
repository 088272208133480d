"""The API on a sunny day: create, list, look, pause, resume, cancel, delete, follow."""

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

KIB, MIB = 1024, 1024 * 1024


def do(service: "Downloader", job_id: str, verb: str) -> tuple[int, Any]:
    answer = service.ask("POST", f"/v1/downloads/{job_id}/{verb}")
    return answer.status, answer.body["state"] if answer.status == 200 else answer.body["title"]


def events(service: "Downloader", job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event, data), to the end of the stream."""
    answer = service.stream(f"/v1/downloads/{job_id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    name = ""
    for raw in answer.read().splitlines():
        field, _, value = raw.decode().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
    answer.release_conn()


def test_one_is_created_with_all_it_was_given(service: "Downloader", web: "Web") -> None:
    url = web.file("one", 70_000)
    sha256 = hashlib.sha256(b"").hexdigest()
    answer = service.ask("POST", "/v1/downloads", {"url": url, "name": "ein Name", "priority": -7})
    assert answer.status == 202
    created = answer.body
    assert (created["url"], created["name"], created["priority"]) == (url, "ein Name", -7)
    assert created["state"] in ("queued", "active")
    (end,) = service.ended([created["id"]])
    assert (end["state"], end["received"], end["total"], end["error"]) == ("done", 70_000, 70_000, None)
    assert service.is_right(end)
    assert end["finished"] >= end["created"]
    (wrong,) = service.ended(service.create(url, sha256=sha256))
    assert (wrong["state"], wrong["expected_sha256"]) == ("failed", sha256)
    (right,) = service.ended(service.create(url, sha256=end["sha256"].upper()))
    assert right["state"] == "done"


def test_many_are_created_in_their_order_and_an_address_may_be_asked_for_twice(
    service: "Downloader", web: "Web"
) -> None:
    urls = [web.file(f"many{number % 40}", 1000 + number % 40, f"d{number % 3}") for number in range(80)]
    job_ids = service.create(*urls)
    assert len(set(job_ids)) == len(urls)
    ends = service.ended(job_ids)
    assert [end["url"] for end in ends] == urls
    assert all(end["state"] == "done" and service.is_right(end) for end in ends)


def test_pages_are_whole_newest_first_and_may_be_filtered(service: "Downloader", web: "Web") -> None:
    service.ended(service.create(*(web.file(f"paged{number}", 100) for number in range(23))))
    everything = [one["id"] for one in service.all()]
    created = [one["created"] for one in service.all()]
    assert created == sorted(created, reverse=True)
    for state, size in (("", 7), ("&state=done", 10)):
        found: list[str] = []
        following: str | None = ""
        while following is not None:
            after = f"&after={following}" if following else ""
            page = service.ask("GET", f"/v1/downloads?limit={size}{after}{state}").body
            assert len(page["items"]) <= size
            assert not state or {one["state"] for one in page["items"]} <= {"done"}
            found += [one["id"] for one in page["items"]]
            following = page["next"]
        assert found == [one for one in everything if not state or service.look(one)["state"] == "done"]
    assert service.ask("GET", f"/v1/downloads?limit={len(everything)}").body["next"] is None, (
        "it was the last"
    )
    assert service.ask("GET", "/v1/downloads?state=paused").body == {"items": [], "next": None}


def test_pause_and_resume(service: "Downloader", web: "Web", patience: Callable[..., Any]) -> None:
    web.faults(bandwidth=512 * KIB)
    (job_id,) = service.create(web.file("pause", 2 * MIB))
    patience(lambda: service.look(job_id)["received"] > 0)
    assert do(service, job_id, "pause") == (200, "paused")
    assert do(service, job_id, "pause") == (200, "paused"), "pausing twice is pausing"
    had = service.look(job_id)["received"]
    (other,) = service.create(web.file("meanwhile", 100 * KIB))
    service.ended([other])
    assert service.look(job_id)["received"] == had, "it goes on while it is paused"
    assert do(service, job_id, "resume")[0] == 200
    assert do(service, job_id, "resume")[0] == 200, "resuming twice is resuming"
    web.faults()
    (end,) = service.ended([job_id])
    assert service.is_right(end)
    assert [do(service, job_id, verb) for verb in ("pause", "resume", "cancel")] == [(409, "Conflict")] * 3


def test_cancel_discards_what_is_here(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(bandwidth=512 * KIB)
    (job_id,) = service.create(web.file("cancel", 2 * MIB))
    patience(lambda: service.look(job_id)["received"] > 0)
    assert service.ask("DELETE", f"/v1/downloads/{job_id}").status == 409, "it has not ended"
    assert service.ask("GET", f"/v1/files/{job_id}").status == 409, "there is no file yet"
    assert do(service, job_id, "cancel") == (200, "cancelled")
    patience(lambda: not list((service.folder / "data").glob(f"*/{job_id}*")))
    assert [do(service, job_id, verb) for verb in ("pause", "resume", "cancel")] == [(409, "Conflict")] * 3
    assert service.ask("DELETE", f"/v1/downloads/{job_id}").status == 204


def test_a_failed_one_is_tried_again(service: "Downloader", web: "Web") -> None:
    web.faults(status=404)
    (end,) = service.ended(service.create(web.file("gone")))
    assert end["state"] == "failed"
    assert "404" in end["error"]
    web.faults()
    assert do(service, end["id"], "resume")[0] == 200
    (end,) = service.ended([end["id"]])
    assert (end["state"], end["error"]) == ("done", None)
    assert service.is_right(end)


def test_delete_forgets_the_download_and_its_file(service: "Downloader", web: "Web") -> None:
    (job_id,) = service.create(web.file("delete"))
    service.ended([job_id])
    assert len(service.fetch(job_id)) == 65536
    assert service.ask("DELETE", f"/v1/downloads/{job_id}").status == 204
    assert not (service.folder / "data" / "files" / job_id).exists()
    for method, path in (("GET", "/v1/downloads/"), ("DELETE", "/v1/downloads/"), ("GET", "/v1/files/")):
        assert service.ask(method, path + job_id).status == 404
    assert job_id not in [one["id"] for one in service.all()]


def test_delete_leaves_nothing_of_a_failed_one(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(bandwidth=MIB)
    (job_id,) = service.create(web.file("deleted-in-the-middle", 4 * MIB))
    patience(lambda: service.look(job_id)["received"] > MIB)
    do(service, job_id, "pause")
    web.faults(status=404)
    do(service, job_id, "resume")
    assert service.ended([job_id])[0]["state"] == "failed"
    assert list((service.folder / "data" / "parts").glob(f"{job_id}*")), "what is here may be gone on with"
    assert service.ask("DELETE", f"/v1/downloads/{job_id}").status == 204
    assert not list((service.folder / "data").glob(f"*/{job_id}*"))


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB])
def test_every_size_arrives_whole(service: "Downloader", web: "Web", size: int) -> None:
    (end,) = service.ended(service.create(web.file("sized", size)))
    assert (end["state"], end["received"], end["total"]) == ("done", size, size), end["error"]
    assert service.is_right(end)


def test_a_higher_priority_starts_earlier(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(stall=1)
    blockers = service.create(*(web.file(f"blocker{number}", 100, f"d{number}") for number in range(8)))
    patience(lambda: all(service.look(job_id)["state"] == "active" for job_id in blockers))
    low = service.create(*(web.file(f"low{number}", 100) for number in range(20)), priority=-5)
    (high,) = service.create(web.file("high", 100), priority=5)
    do(service, blockers[0], "cancel")
    patience(lambda: service.look(high)["state"] == "active")
    assert {service.look(job_id)["state"] for job_id in low} == {"queued"}
    web.faults()
    for job_id in (*blockers[1:], high):
        do(service, job_id, "cancel")
    service.ended([*blockers, high, *low])


def test_events_tell_the_progress_to_its_end(service: "Downloader", web: "Web") -> None:
    web.faults(bandwidth=MIB)
    (job_id,) = service.create(web.file("followed", 2 * MIB))
    told = list(events(service, job_id))
    web.faults()
    received = [shown["received"] for _, shown in told]
    assert received == sorted(received)
    assert len(set(received)) > 2, "no progress was told in between"
    assert all(name == shown["state"] for name, shown in told)
    assert (told[-1][0], received[-1]) == ("done", 2 * MIB)
    assert [name for name, _ in events(service, job_id)] == ["done"], "what has ended is told once"


def test_events_end_when_the_download_is_cancelled(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(bandwidth=64 * KIB)
    (job_id,) = service.create(web.file("followed-to-a-cancel", MIB))
    patience(lambda: service.look(job_id)["received"] > 0)
    with ThreadPoolExecutor(1) as follower:
        told = follower.submit(lambda: list(events(service, job_id)))
        assert do(service, job_id, "cancel")[0] == 200
        assert [name for name, _ in told.result(20)][-1] == "cancelled"


def test_those_who_change_one_download_at_once_are_all_answered(service: "Downloader", web: "Web") -> None:
    web.faults(bandwidth=MIB)
    (job_id,) = service.create(web.file("contested", 2 * MIB))
    with ThreadPoolExecutor(4) as users:
        answers = list(users.map(lambda verb: do(service, job_id, verb), ("pause", "resume") * 20))
    assert {status for status, _ in answers} == {200}
    assert do(service, job_id, "resume")[0] == 200
    web.faults()
    (end,) = service.ended([job_id])
    assert service.is_right(end)


def test_a_change_at_the_moment_of_the_end_does_not_lose_it(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    """Whoever comes too late is told so; who came in time is obeyed; and every end is remembered."""
    job_ids = service.create(*(web.file(f"late{number}", 100, f"d{number % 5}") for number in range(200)))
    with ThreadPoolExecutor(4) as users:
        verbs = users.map(lambda job_id: [do(service, job_id, verb) for verb in ("pause", "resume")], job_ids)
        assert {status for answers in verbs for status, _ in answers} <= {200, 409}
    ends = service.ended(job_ids)
    assert all(service.is_right(end) for end in ends)
    patience(lambda: None not in service.redis.zmscore("lab:downloader:finished", job_ids))
    service.kill()
    service.start()
    assert [service.look(job_id)["state"] for job_id in job_ids] == ["done"] * len(job_ids), "not remembered"
    told = service.files()
    assert all(len(told[end["url"]]) == 1 for end in ends)
