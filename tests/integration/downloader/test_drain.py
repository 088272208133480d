"""SIGTERM: what runs may end, what does not is handed to the next life, and nothing is lost."""

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, StartDownloader, Web

MIB = 1024 * 1024
LARGE, SMALL = 8 * MIB, 128 * 1024
GRACE, WORKERS, ONE_READ = 1.0, 8, 64 * 1024


@pytest.fixture(scope="module")
def service(start_downloader: "StartDownloader") -> "Downloader":
    """A service that is given a few seconds to drain."""
    return start_downloader(lab_grace=GRACE)


def busy(
    service: "Downloader", web: "Web", patience: Callable[..., Any], name: str, rate: float
) -> list[str]:
    """Downloads that are in the middle, others that have not begun, and one that is paused; their ids."""
    web.faults(bandwidth=rate)
    large = service.create(*(web.file(f"{name}-large{number}", LARGE, f"d{number}") for number in range(4)))
    patience(lambda: service.metric("downloader_received_bytes_total") > 0)
    small = service.create(*(web.file(f"{name}-small{number}", SMALL) for number in range(20)), priority=-1)
    assert service.ask("POST", f"/v1/downloads/{small[-1]}/pause").body["state"] == "paused"
    patience(lambda: all(service.look(job_id)["received"] > MIB // 2 for job_id in large))
    return large + small


def test_what_drains_in_time_is_told_and_the_rest_goes_on_later(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    *job_ids, paused = busy(service, web, patience, "slow", MIB)
    assert service.terminate() == 0, service.log()[-3000:]
    ended = service.files_on_disk()
    assert ended < len(job_ids), "all had ended: the stop interrupted nothing"
    on_disk = service.bytes_on_disk()
    web.faults()
    service.start()
    ends = service.ended(job_ids)
    assert [end["state"] for end in ends] == ["done"] * len(job_ids)
    assert all(service.is_right(end) for end in ends)
    assert service.look(paused)["state"] == "paused", "a pause does not end with the process"
    again = service.metric("downloader_received_bytes_total") - (
        sum(end["received"] for end in ends) - on_disk
    )
    assert 0 <= again <= WORKERS * ONE_READ, "more was lost than each worker may have had in hand"
    assert service.ask("POST", f"/v1/downloads/{paused}/resume").status == 200
    (end,) = service.ended([paused])
    assert service.is_right(end)


def test_while_it_drains_it_says_so_and_accepts_nothing(
    service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    *job_ids, _ = busy(service, web, patience, "drains", MIB)
    service.process.send_signal(signal.SIGTERM)
    ready = patience(lambda: (answer := service.ask("GET", "/ready")).status != 200 and answer)
    assert (ready.status, ready.body["status"]) == (503, 503)
    assert ready.headers["content-type"] == "application/problem+json"
    assert service.ask("GET", "/health").status == 200, "draining is no reason to be killed"
    refused = service.ask("POST", "/v1/downloads", {"url": web.file("too-late")})
    assert (refused.status, refused.headers["content-type"]) in (
        (429, "application/problem+json"),
        (503, "application/problem+json"),
    )
    assert service.terminate() == 0, "a second SIGTERM interrupts the drain"
    with pytest.raises(urllib3.exceptions.HTTPError):
        service.ask("GET", "/health")
    web.faults()
    service.start()
    assert [end["state"] for end in service.ended(job_ids)] == ["done"] * len(job_ids)
    assert web.file("too-late") not in [one["url"] for one in service.all()]
    assert service.terminate() == 0, "a stop with nothing to do"
