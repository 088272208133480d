"""Redis is away for a while: what runs goes on, nothing more is accepted, and nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lab_kit.messages import Message

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

KIB = 1024


@contextmanager
def without_redis(service: "Downloader") -> Iterator[None]:
    service.server.kill()
    try:
        yield
    finally:
        service.server.start()


def begin(service: "Downloader", web: "Web", patience: Callable[..., Any], name: str) -> list[str]:
    """Downloads that all are in the middle."""
    web.faults(bandwidth=64 * KIB)
    job_ids = service.create(*(web.file(f"{name}{number}", 128 * KIB, f"d{number}") for number in range(8)))
    patience(lambda: all(service.look(job_id)["received"] > 0 for job_id in job_ids))
    return job_ids


def test_what_was_accepted_is_fetched_and_told_when_redis_is_back(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    job_ids = begin(service, web, patience, "meanwhile")
    with without_redis(service):
        web.faults()
        patience(lambda: service.files_on_disk() == len(job_ids))
        patience(lambda: {service.look(job_id)["state"] for job_id in job_ids} == {"done"})
        assert service.process.poll() is None
    patience(lambda: service.ask("GET", "/ready").status == 200)
    patience(lambda: {told[0]["id"] for told in service.files().values()} >= set(job_ids))
    assert all(len(told) == 1 for told in service.files().values())
    service.kill()
    service.start()
    assert [service.look(job_id)["state"] for job_id in job_ids] == ["done"] * len(job_ids), "not remembered"


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("POST", "", {202}),
        ("POST", "/{}/pause", {200}),
        ("POST", "/{}/cancel", {200}),
        ("DELETE", "/{}", {204}),
    ],
)
def test_a_change_that_cannot_be_remembered_is_refused_and_changes_nothing(
    service: "Downloader", web: "Web", patience: Callable[..., Any], verb: str, path: str, status: set[int]
) -> None:
    (job_id,) = service.create(web.file(f"{verb}{len(path)}", 16 * KIB))
    service.ended([job_id])
    if path.startswith("/{}/"):
        web.faults(bandwidth=64 * KIB)
        (job_id,) = service.create(web.file("to-be-changed", 192 * KIB))
    body = {"url": web.file("refused")} if verb == "POST" and not path else None
    before = {one["id"] for one in service.all()}
    with without_redis(service):
        ready = patience(lambda: (answer := service.ask("GET", "/ready")).status == 503 and answer)
        assert "redis" in ready.body["detail"]
        assert service.ask("GET", "/health").status == 200
        answer = service.ask(verb, "/v1/downloads" + path.format(job_id), body)
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json"), answer
        assert service.ask("GET", "/v1/downloads").status == 200, "reading needs no Redis"
    web.faults()
    patience(lambda: service.ask("GET", "/ready").status == 200)
    assert {one["id"] for one in service.all()} == before
    (end,) = service.ended([job_id])
    assert service.is_right(end)
    assert service.ask(verb, "/v1/downloads" + path.format(job_id), body).status in {*status, 409}


def test_messages_sent_after_an_outage_are_handled(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    with without_redis(service):
        patience(lambda: service.ask("GET", "/ready").status == 503)
    url = web.file("after-the-outage")
    patience(lambda: service.ask("GET", "/ready").status == 200)
    service.send(Message("download.wanted", {"url": url}))
    assert patience(lambda: service.files().get(url))
    patience(lambda: service.pending() == 0)
