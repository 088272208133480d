"""The API, with processes of the service's own."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.primes.conftest import Service

ANSWERS = [
    ({"kind": "count", "hi": 10**6}, {"count": 78_498}),
    ({"kind": "count", "lo": 10**12, "hi": 10**12 + 10**6}, {"count": 36_249}),
    ({"kind": "sum", "hi": 10**6}, {"sum": 37_550_402_023, "count": 78_498}),
    ({"kind": "twins", "hi": 10**6}, {"twins": 8169, "count": 78_498}),
    ({"kind": "gap", "hi": 10**6}, {"gap": 114, "after": 492_113, "count": 78_498}),
    ({"kind": "nth", "n": 10**6}, {"prime": 15_485_863, "rank": 10**6}),
    ({"hi": 0}, {"count": 0}),
]
BAD: list[tuple[object, str]] = [
    ({"lo": 5, "hi": 4}, "0 <= lo <= hi"),
    ({"hi": -1}, "greater than or equal to 0"),
    ({"hi": 1.5}, "valid integer"),
    ({"hi": "10"}, "valid integer"),
    ({"hi": True}, "valid integer"),
    ({"hi": 10**15 + 1}, "1,000,000,000,000,000"),
    ({"hi": 2**63 + 1}, "1,000,000,000,000,000"),
    ({"hi": 10**14}, "10,000,000,000,000"),
    ({"kind": "nth"}, "takes n"),
    ({"kind": "nth", "n": 5, "hi": 10}, "takes n"),
    ({"kind": "nth", "n": 0}, "greater than or equal to 1"),
    ({"kind": "count", "n": 5, "hi": 10}, "no n"),
    ({"kind": "product", "hi": 10}, "count"),
    ({"hi": 10, "colour": "red"}, "Extra inputs"),
    ({}, "takes lo and hi"),
    ([], "valid dictionary"),
    (b"{", "no JSON"),
]


@pytest.mark.parametrize(("question", "answer"), ANSWERS, ids=lambda one: json.dumps(one)[:40])
def test_answers_are_right_and_say_how_they_came(
    local: "Service", question: dict[str, Any], answer: dict[str, int]
) -> None:
    ended = local.ended(local.create(**question))
    assert (ended["state"], ended["answer"]) == ("done", answer)
    assert ended["done"] == ended["tiles"]
    assert bool(ended["workers"]) == (ended["tiles"] > 0)
    assert ended["seconds"] >= 0


@pytest.mark.parametrize(("question", "limit"), BAD, ids=lambda one: str(one)[:40])
def test_bad_input_says_the_limit_and_changes_nothing(local: "Service", question: object, limit: str) -> None:
    before = local.ask("GET", "/v1/jobs?limit=1000").body
    answer = local.ask("POST", "/v1/jobs", question)
    assert answer.status == 422
    assert limit in answer.body["detail"]
    assert local.ask("GET", "/v1/jobs?limit=1000").body == before


def test_progress_is_streamed_to_the_end(local: "Service") -> None:
    job_id = local.create(hi=2 * 10**8)
    events = local.ask("GET", f"/v1/jobs/{job_id}/events").body
    shown = [
        json.loads(line.removeprefix("data:")) for line in events.splitlines() if line.startswith("data:")
    ]
    assert [one["done"] for one in shown] == sorted(one["done"] for one in shown)
    assert shown[-1]["answer"] == {"count": 11_078_937}


def test_a_job_is_paused_resumed_cancelled_and_deleted(local: "Service") -> None:
    job_id = local.create(hi=10**10)
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = local.ask("POST", f"/v1/jobs/{job_id}/{verb}")
        assert (answer.status, answer.body["state"]) == (200, state)
    local.ended(job_id)
    assert local.ask("POST", f"/v1/jobs/{job_id}/resume").status == 409
    assert local.ask("DELETE", f"/v1/jobs/{job_id}").status == 204
    assert local.ask("GET", f"/v1/jobs/{job_id}").status == 404
    assert local.ask("GET", f"/v1/jobs/{job_id}/events").status == 404


def test_pages_of_jobs_follow_one_another(local: "Service") -> None:
    made = [local.create(hi=number) for number in range(3)]
    for job_id in made:
        local.ended(job_id)
    first = local.ask("GET", "/v1/jobs?limit=2").body
    second = local.ask("GET", f"/v1/jobs?limit=2&after={first['next']}&state=done").body
    assert [one["id"] for one in first["items"]] == [made[2], made[1]]
    assert second["items"][0]["id"] == made[0]


def test_lists_come_in_pages_and_as_a_stream(local: "Service") -> None:
    first = local.ask("GET", "/v1/primes?lo=0&hi=100&limit=10").body
    assert first == {"primes": [2, 3, 5, 7, 11, 13, 17, 19, 23, 29], "next": 31}
    rest = local.ask("GET", "/v1/primes?lo=31&hi=100").body
    assert (len(rest["primes"]), rest["next"]) == (15, None)
    far = local.ask("GET", f"/v1/primes?lo={10**12}&hi={10**12 + 100}").body
    assert far["primes"] == [10**12 + 39, 10**12 + 61, 10**12 + 63, 10**12 + 91]
    lines = local.ask("GET", f"/v1/primes/stream?lo=0&hi={3 * 10**6}").body.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (216_816, "2", "2999999")


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("lo=0&hi=100000000", "10,000,000"),
        ("lo=5&hi=1", "0 <= lo <= hi"),
        ("lo=-1&hi=1", "0 <= lo <= hi"),
        ("lo=0&hi=x", "valid integer"),
        (f"lo={10**15}&hi={10**15 + 1}", "1,000,000,000,000,000"),
        ("lo=0&hi=10&limit=100000", "10000"),
    ],
)
def test_a_list_too_large_says_the_limit(local: "Service", query: str, detail: str) -> None:
    answer = local.ask("GET", f"/v1/primes?{query}")
    assert answer.status == 422
    assert detail in answer.body["detail"]
    assert local.ask("GET", f"/v1/primes/stream?{query.replace('&limit=100000', 'x')}").status == 422


def test_the_timeline_and_the_common_metrics_know_the_workers(local: "Service") -> None:
    tasks, tiles = local.metric("lab_tasks_total", outcome="done"), local.metric("primes_tiles_total")
    ended = local.ended(local.create(hi=10**8))
    assert local.metric("lab_tasks_total", outcome="done") - tasks == ended["tiles"]
    assert local.metric("primes_tiles_total") - tiles == ended["tiles"]
    assert local.metric("primes_workers") == local.metric("lab_workers", state="idle") == 2
    assert local.metric("lab_queue_depth", queue="orders") == local.metric("lab_tasks_in_flight") == 0
    workers = {
        span["worker"] for span in local.ask("GET", "/lab/timeline").body if span["job"] == ended["id"]
    }
    assert workers == set(ended["workers"])
