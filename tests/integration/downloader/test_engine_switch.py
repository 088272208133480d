"""Another engine while the service works: what was accepted is done, whatever the other engine is like."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Answer, Downloader, StartDownloader, Web

KIB, MIB = 1024, 1024 * 1024
BROKEN = {
    "def DownloadManager(:": "SyntaxError",
    "import no_such_module": "No module named 'no_such_module'",
    "raise SystemExit('at import')": "at import",
    "class Downloadmanager: ...": "DownloadManager",
    "class DownloadManager: ...": "DownloadManager() takes no arguments",
    "from downloader.naive import DownloadManager as Naive\n"
    "class DownloadManager(Naive):\n"
    "    def start(self, jobs): raise RuntimeError('cannot start')\n": "cannot start",
}


@pytest.fixture(scope="module")
def service(start_downloader: "StartDownloader") -> "Downloader":
    """A service that drains its engine for a moment only, so that a switch hands something over."""
    return start_downloader(lab_grace=0.2)


@pytest.fixture(autouse=True)
def _back_to_the_reference(service: "Downloader") -> Iterator[None]:
    yield
    assert switch(service, "reference").status == 200


def switch(service: "Downloader", engine: str) -> "Answer":
    return service.ask("PUT", "/lab/engine", {"engine": engine})


def running(service: "Downloader") -> str:
    return str(service.ask("GET", "/lab/engine").body["engine"])


def test_there_and_back_under_load_loses_nothing_that_was_accepted(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(bandwidth=2 * MIB)
    urls = [web.file(f"switch{number}", 512 * KIB + number, f"d{number % 7}") for number in range(60)]
    job_ids = service.create(*urls)
    patience(lambda: service.files_on_disk() > 0)
    with ThreadPoolExecutor(2) as others:
        posts = [
            others.submit(
                service.ask, "POST", "/v1/downloads", {"url": web.file(f"meanwhile{number}", 300 * KIB)}
            )
            for number in range(40)
        ]
        switched = [switch(service, engine) for engine in ("naive", "reference", "naive", "reference")]
    assert [answer.status for answer in switched] == [200] * 4, [answer.body for answer in switched]
    assert all(answer.body["handed_over"] > 0 for answer in switched), "nothing was left to hand over"
    answers = [post.result() for post in posts]
    assert {answer.status for answer in answers} <= {202, 429, 503}
    web.faults()
    job_ids += [answer.body["id"] for answer in answers if answer.status == 202]
    ends = service.ended(job_ids)
    assert [end["state"] for end in ends] == ["done"] * len(job_ids)
    assert all(service.is_right(end) for end in ends)
    patience(lambda: sum(map(len, service.files().values())) == len(service.all()))
    assert not list((service.folder / "data" / "parts").iterdir()), "an engine left its parts"


def test_a_pause_survives_a_switch(service: "Downloader", web: "Web") -> None:
    web.faults(bandwidth=256 * KIB)
    (job_id,) = service.create(web.file("paused", 3 * MIB))
    assert service.ask("POST", f"/v1/downloads/{job_id}/pause").status == 200
    assert switch(service, "naive").status == 200
    assert service.look(job_id)["state"] == "paused"
    assert switch(service, "reference").status == 200
    assert service.look(job_id)["state"] == "paused"
    web.faults()
    assert service.ask("POST", f"/v1/downloads/{job_id}/resume").status == 200
    (end,) = service.ended([job_id])
    assert service.is_right(end)


@pytest.mark.parametrize(
    "wanted", [{"engine": "best"}, {"engine": "../naive"}, {"engine": 7}, {}, {"engin": "naive"}]
)
def test_an_unknown_engine_is_a_problem(service: "Downloader", wanted: dict[str, Any]) -> None:
    answer = service.ask("PUT", "/lab/engine", wanted)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.body["status"] == 422
    assert answer.body["detail"]
    assert running(service) == "reference"


@pytest.mark.parametrize("source", BROKEN)
def test_a_learners_file_that_does_not_load_is_explained(
    service: "Downloader", web: "Web", source: str
) -> None:
    web.faults(bandwidth=MIB)
    number = list(BROKEN).index(source)
    (job_id,) = service.create(web.file(f"goes-on{number}", MIB))
    (service.workspace / "downloader.py").write_text(source)
    answer = switch(service, "mine")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert BROKEN[source] in answer.body["detail"]
    assert running(service) == "reference"
    web.faults()
    (end,) = service.ended([job_id])
    assert service.is_right(end), "the old engine does not go on"


def test_without_a_learners_file_it_says_where_to_write_one(service: "Downloader") -> None:
    (service.workspace / "downloader.py").unlink(missing_ok=True)
    answer = switch(service, "mine")
    assert answer.status == 422
    assert str(service.workspace / "downloader.py") in answer.body["detail"]


def test_a_learners_file_runs_and_is_read_again_at_each_switch(service: "Downloader", web: "Web") -> None:
    mine = service.workspace / "downloader.py"
    for number, limit in enumerate((1, 2)):
        mine.write_text(
            "from downloader.naive import DownloadManager as Naive\n"
            "class DownloadManager(Naive):\n"
            f"    def stats(self):\n        from dataclasses import replace\n"
            f"        return replace(super().stats(), restarts={limit})\n"
        )
        assert switch(service, "mine").body["engine"] == "mine"
        assert running(service) == "mine"
        (end,) = service.ended(service.create(web.file(f"mine{number}")))
        assert service.is_right(end)
        assert service.metric("downloader_restarts_total") == limit
    text = service.ask("GET", "/metrics").body.decode()
    assert 'lab_engine_info{engine="mine",service="downloader"} 1.0' in text


def test_an_engine_that_fails_to_stop_is_left_all_the_same(service: "Downloader", web: "Web") -> None:
    (service.workspace / "downloader.py").write_text(
        "from downloader.naive import DownloadManager as Naive\n"
        "class DownloadManager(Naive):\n"
        "    def stop(self, deadline):\n"
        "        super().stop(deadline)\n"
        "        raise RuntimeError('cannot stop')\n"
    )
    assert switch(service, "mine").status == 200
    web.faults(bandwidth=256 * KIB)
    job_ids = service.create(*(web.file(f"left{number}", MIB) for number in range(10)))
    answer = switch(service, "reference")
    assert (answer.status, running(service)) == (200, "reference"), answer.body
    web.faults()
    ends = service.ended(job_ids)
    assert all(service.is_right(end) for end in ends)
