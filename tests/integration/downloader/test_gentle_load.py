"""The background load on a real service: it outlives the service, and leaves nothing when it ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web


class Gentle:
    """One background load."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._log = folder / "log"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lab.load", "--gentle"], env=os.environ | environment, stdout=log
            )

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self._log.read_text().splitlines()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@pytest.fixture
def gentle(service: "Downloader", web: "Web", tmp_path: Path) -> Iterator[Gentle]:
    load = Gentle(tmp_path, DOWNLOADER_URL=service.url, LAB_ORIGIN_URL=web.url)
    yield load
    load.process.kill()
    load.process.wait()


def test_it_downloads_again_and_again_and_deletes_what_it_downloaded(
    gentle: Gentle, service: "Downloader", patience: Callable[..., Any]
) -> None:
    patience(lambda: service.metric("lab_tasks_total") >= 2)
    assert gentle.events() == ["visiting"]
    assert gentle.end() == 0
    assert gentle.events()[-1] == "ended"
    assert service.all() == []


def test_its_end_in_the_middle_of_a_download_deletes_that_too(
    gentle: Gentle, service: "Downloader", web: "Web", patience: Callable[..., Any]
) -> None:
    web.faults(stall=1)
    patience(lambda: any(one["state"] == "active" for one in service.all()))
    assert gentle.end() == 0
    patience(lambda: not service.all())


def test_it_outlives_its_service(gentle: Gentle, service: "Downloader", patience: Callable[..., Any]) -> None:
    patience(lambda: gentle.events() == ["visiting"])
    service.kill()
    patience(lambda: gentle.events()[-1] == "a visit failed")
    service.start()
    patience(lambda: gentle.events()[-1] == "visiting")
    assert gentle.end() == 0


def test_without_a_service_it_says_what_to_set(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
    command = [sys.executable, "-m", "lab.load", "--gentle"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert done.stderr.startswith("No service to load: set one or more of ")
    assert "DOWNLOADER_URL" in done.stderr


def test_without_gentle_it_names_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "lab.load"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 64
    assert done.stderr.startswith("usage: ")
    assert "lab load SERVICE" in done.stderr
