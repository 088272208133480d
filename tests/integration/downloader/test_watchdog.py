"""A learner's engine that blocks everything is replaced, and what was accepted is done by the reference."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import StartDownloader, Web

BLOCKING = """
import threading
from downloader.naive import DownloadManager as Naive

class DownloadManager(Naive):
    def pause(self, job_id):
        threading.Event().wait()
"""


def test_a_blocking_engine_is_replaced_and_nothing_is_lost(
    start_downloader: "StartDownloader", web: "Web", patience: Callable[..., Any]
) -> None:
    service = start_downloader()
    (service.workspace / "downloader.py").write_text(BLOCKING)
    assert service.ask("PUT", "/lab/engine", {"engine": "mine"}).status == 200
    web.faults(bandwidth=64 * 1024)
    (job_id,) = service.create(web.file("blocked", 1024 * 1024))

    def replaced() -> Any:
        try:
            return service.ask("GET", "/lab/engine").body["reason"]
        except urllib3.exceptions.HTTPError:
            return ""

    with suppress(urllib3.exceptions.HTTPError):
        service.ask("POST", f"/v1/downloads/{job_id}/pause")
    web.faults()
    assert "downloader.py" in patience(replaced)
    assert service.ask("GET", "/lab/engine").body["engine"] == "reference"
    (end,) = service.ended([job_id])
    assert service.is_right(end)
