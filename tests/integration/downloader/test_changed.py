"""A file that changes at the same size while it is fetched: one version or the other, never a mixture."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

MIB = 1024 * 1024
SIZE = 5 * MIB
DROPPED = f"change-after=1&drop-after={2 * MIB}&drop-rate=0.5"
IDENTIFIED_BY = {
    "strong ETag": "etag=strong",
    "strong ETag alone": "etag=strong&lastmod=none",
    "weak ETag": "etag=weak",
    "weak ETag alone": "etag=weak&lastmod=none",
    "Last-Modified": "etag=none",
    "nothing": "etag=none&lastmod=none",
}
CAN_RESUME = ("strong ETag", "strong ETag alone", "weak ETag", "Last-Modified")
type Begin = Callable[[str, Iterable[str]], dict[str, str]]
identified = pytest.mark.parametrize("by", IDENTIFIED_BY)


@pytest.fixture
def naive(service: "Downloader") -> Iterator["Downloader"]:
    """The service while its engine is the naive one."""
    assert service.ask("PUT", "/lab/engine", {"engine": "naive"}).status == 200
    yield service
    assert service.ask("PUT", "/lab/engine", {"engine": "reference"}).status == 200


def name_of(*words: str) -> str:
    return re.sub("[^a-z0-9]+", "-", " ".join(words).lower())


def version_of(service: "Downloader", shown: dict[str, Any], newest: int = 1) -> int | None:
    """Which version the file is; None for a mixture."""
    return next((version for version in range(newest + 1) if service.is_right(shown, version)), None)


@pytest.mark.parametrize("change", [*(f"change-after={count}" for count in range(1, 6)), DROPPED])
@identified
def test_the_reference_never_mixes(service: "Downloader", web: "Web", by: str, change: str) -> None:
    url = web.file(name_of("changes", by, change), SIZE, query=f"{change}&{IDENTIFIED_BY[by]}")
    (end,) = service.ended(service.create(url))
    assert (end["state"], end["received"]) == ("done", SIZE), end["error"]
    assert version_of(service, end) is not None, "a mixture"


def test_the_reference_survives_a_file_that_changes_now_and_then(service: "Downloader", web: "Web") -> None:
    urls = [web.file(f"restless{number}", SIZE, query="change-content=0.2") for number in range(5)]
    ends = service.ended(service.create(*urls))
    assert [end["state"] for end in ends] == ["done"] * len(urls)
    assert None not in [version_of(service, end, newest=40) for end in ends]
    assert sum(end["restarts"] for end in ends) > 0, "nothing changed in between"


@pytest.fixture
def begin(service: "Downloader", web: "Web", patience: Callable[..., Any]) -> Begin:
    """Begins slow downloads, and returns the ids of their addresses once each has something already."""

    def begin(name: str, kinds: Iterable[str]) -> dict[str, str]:
        web.faults(bandwidth=MIB // 2)
        urls = [web.file(name_of(name, by), SIZE, query=IDENTIFIED_BY[by]) for by in kinds]
        job_ids = service.create(*urls)
        patience(lambda: all(service.look(job_id)["received"] > 0 for job_id in job_ids))
        return dict(zip(urls, job_ids, strict=True))

    return begin


def test_what_changes_during_a_pause_starts_over(service: "Downloader", web: "Web", begin: Begin) -> None:
    begun = begin("paused", IDENTIFIED_BY)
    for job_id in begun.values():
        assert service.ask("POST", f"/v1/downloads/{job_id}/pause").status == 200
    web.change(*begun)
    for job_id in begun.values():
        assert service.ask("POST", f"/v1/downloads/{job_id}/resume").status == 200
    ends = service.ended(begun.values())
    assert [(end["state"], version_of(service, end)) for end in ends] == [("done", 1)] * len(begun), begun
    assert all(end["restarts"] > 0 for end in ends)


def test_what_changes_over_a_restart_starts_over(service: "Downloader", web: "Web", begin: Begin) -> None:
    begun = begin("restarted", IDENTIFIED_BY)
    service.kill()
    web.change(*begun)
    service.start()
    ends = service.ended(begun.values())
    assert [(end["state"], version_of(service, end)) for end in ends] == [("done", 1)] * len(begun), begun


def test_what_did_not_change_goes_on(service: "Downloader", web: "Web", begin: Begin) -> None:
    """Else starting over each time would pass every test above."""
    begun = begin("same", CAN_RESUME)
    for job_id in begun.values():
        assert service.ask("POST", f"/v1/downloads/{job_id}/pause").status == 200
    here = sum(service.look(job_id)["received"] for job_id in begun.values())
    web.faults()
    arrived = service.metric("downloader_received_bytes_total")
    for job_id in begun.values():
        assert service.ask("POST", f"/v1/downloads/{job_id}/resume").status == 200
    ends = service.ended(begun.values())
    assert [(end["state"], version_of(service, end)) for end in ends] == [("done", 0)] * len(begun)
    assert not any(end["restarts"] for end in ends)
    assert service.metric("downloader_received_bytes_total") - arrived == len(begun) * SIZE - here


def test_the_naive_engine_mixes(naive: "Downloader", web: "Web") -> None:
    url = web.file("stitched", 3 * MIB, query=f"change-after=1&drop-after={2 * MIB}&bandwidth={8 * MIB}")
    (end,) = naive.ended(naive.create(url))
    assert (end["state"], end["received"]) == ("done", 3 * MIB)
    assert version_of(naive, end) is None, "the naive engine got it right: the fault did not fire"
