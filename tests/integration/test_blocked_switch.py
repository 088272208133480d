"""A learner's file that blocks while it is imported does not take the service away: the reference comes back."""

import threading
from pathlib import Path
from typing import Any

import urllib3
from tests.integration.service import Service, eventually

BLOCKS = "import time\nwhile True:\n    time.sleep(60)\n"


def engine(service: Service) -> dict[str, Any]:
    """Which engine runs, and why; nothing while the service does not answer."""
    try:
        return dict(urllib3.request("GET", f"{service.url}/lab/engine", retries=False, timeout=1).json())
    except urllib3.exceptions.HTTPError:
        return {}


def ask_for_mine(service: Service) -> None:
    try:
        urllib3.request(
            "PUT", f"{service.url}/lab/engine", json={"engine": "mine"}, retries=False, timeout=60
        )
    except urllib3.exceptions.HTTPError:
        """The process that was asked is no more."""


def test_a_file_that_blocks_as_it_is_imported_is_replaced(fresh_redis: str, tmp_path: Path) -> None:
    service = Service("downloader", tmp_path, redis_url=fresh_redis, log_level="warning")
    try:
        (service.workspace / "downloader.py").write_text(BLOCKS)
        asking = threading.Thread(target=ask_for_mine, args=[service])
        asking.start()
        told = eventually(lambda: engine(service).get("reason"), 60)
        assert "downloader.py" in told
        assert engine(service)["engine"] == "reference"
        asking.join()
    finally:
        service.kill()
